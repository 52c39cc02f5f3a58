"""What the OPC UA server shows: a vision system after OPC 40100-1, its results as a ring, the gate's permissions.

Objects
└── <line>                              VisionSystemType
    ├── VisionStateMachine              CurrentState; AutomaticModeStateMachine/CurrentState
    ├── ResultManagement                GetResultById, GetLatestResult, GetResultsSince
    │   └── Results                     Result000 ... the last N, FirstSequence, LastSequence
    └── Gate                            Epoch, Heartbeat, Permissions

Types and names of the standard come from its nodeset, a file that the plant fetches; without it the same names lie in
our own namespace, without its types. What the standard does not have lies in our own namespace in both.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from asyncua import Node, ua
from asyncua.server.event_generator import EventGenerator

from linewarden_onward.interface import GatePermission, Notice
from linewarden_onward.outputs.opcua_space import OWN, MethodAnswer, PlantSpace, Structure, structure
from linewarden_schemas.vocabulary import LineMode

PERMISSION_SLOTS = 16
"""Permissions that can be open at once; of more the oldest is taken back."""
PERMISSION_FIELDS = 5
_VISION_SYSTEM, _RESULT_MANAGEMENT, _JOB_STARTED, _RESULT_FOLDER, _STATE_MACHINE = 1003, 1007, 1013, 1016, 1017
_STATE_CHANGED, _AUTOMATIC_MODE, _RESULT_READY, _RESULT = 1018, 1021, 1024, 2002
_COMPLETED = 1
_UNKNOWN_RESULT = -1
_SEVERITY = 100
_IN_EVENTS = (
    "ResultId",
    "IsPartial",
    "IsSimulated",
    "ResultState",
    "PartId",
    "InternalRecipeId",
    "ProductId",
    "InternalConfigurationId",
    "JobId",
    "CreationTime",
)
_Int32, _Int64, _UInt32, _String = (
    ua.VariantType.Int32,
    ua.VariantType.Int64,
    ua.VariantType.UInt32,
    ua.VariantType.String,
)


class VisionState(StrEnum):
    """States of the standard that this server takes; the last three are Operational."""

    PREOPERATIONAL = "Preoperational"
    HALTED = "Halted"
    ERROR = "Error"
    INITIALIZED = "Initialized"
    READY = "Ready"
    CONTINUOUS = "ContinuousExecution"

    @property
    def is_operational(self) -> bool:
        """Whether it is a state of the automatic mode."""
        return self in (VisionState.INITIALIZED, VisionState.READY, VisionState.CONTINUOUS)


@dataclass(frozen=True, slots=True)
class RingEntry:
    """One told revision: `sequence` counts in this epoch from 1, `text` is JSON, `typed` the standard's structure."""

    sequence: int
    key: str
    text: str
    typed: Structure | None


class VisionModel:
    """The address space of one line; used on the server's loop alone."""

    def __init__(self, space: PlantSpace, line_id: str, epoch: int, ring: int) -> None:
        self._space, self._line_id, self._epoch = space, line_id, epoch
        self._ring: deque[RingEntry] = deque(maxlen=ring)
        self._slots: list[Node] = []
        self._told, self._heartbeat, self._job = 0, 0, ""
        self._state: VisionState | None = None
        self._open: list[tuple[GatePermission, float]] = []
        self._timers: set[asyncio.Task[None]] = set()

    async def build(self) -> None:
        """Make every node of the line."""
        space = self._space
        self._system = await space.add_object(space.server.nodes.objects, self._line_id, space.own, _VISION_SYSTEM)
        await self._build_states()
        await self._build_results()
        gate = await space.add_object(self._system, "Gate", space.own)
        await space.add_variable(gate, "Epoch", ua.Variant(self._epoch, _Int64))
        self._beats = await space.add_variable(gate, "Heartbeat", ua.Variant(0, _UInt32))
        self._permissions = await space.add_variable(gate, "Permissions", self._permitted())
        await self._build_events()
        await space.close_other_methods(self._system)
        await self.set_state(VisionState.PREOPERATIONAL)

    async def set_state(self, state: VisionState, why: str = "") -> None:
        """Take a state, and tell it where it is another than before."""
        if state is self._state:
            return
        before, self._state = self._state, state
        outer, inner = ("Operational", state.value) if state.is_operational else (state.value, "")
        await self._space.write_state(self._machine, _STATE_MACHINE, outer)
        await self._space.write_state(self._automatic, _AUTOMATIC_MODE, inner)
        if before is not None and self._changed is not None:
            await self._fire(self._changed, f"{before} -> {state}" + (f": {why}" if why else ""), {})

    async def add(self, notice: Notice, ends_s: float) -> None:
        """Put one revision into the ring, open its permission until `ends_s` of the loop's time, and fire the event.

        Once this returns every subscriber's queue has the event; whether he reads it nobody knows.
        """
        told = notice.disposition
        if self._state is not VisionState.ERROR:
            await self._follow_line(notice)
        self._told += 1
        body = {"epoch": self._epoch, "sequence": self._told, "id": notice.key}
        text = json.dumps(body | {"disposition": json.loads(told.to_json())})
        entry = RingEntry(self._told, notice.key, text, self._typed(notice, text))
        self._ring.append(entry)
        await self._show(entry)
        row = [0] * PERMISSION_FIELDS
        if notice.permission is not None and asyncio.get_running_loop().time() < ends_s:
            row = await self._permit(notice.permission, ends_s)
        fields = {"Epoch": self._epoch, "Sequence": entry.sequence, "Disposition": text, "Permission": row}
        if entry.typed is None:
            fields["ResultId"] = notice.key
        else:
            fields |= {name: getattr(entry.typed, name) for name in _IN_EVENTS}
        await self._fire(self._ready, f"{notice.key}: {told.routing}", fields)

    async def beat(self, now_ms: int | None) -> None:
        """Move the heartbeat, and take back what has expired; all of it where the time is not known."""
        self._heartbeat += 1
        await self._space.write(self._beats, ua.Variant(self._heartbeat & 0xFFFFFFFF, _UInt32))
        await self._keep([one for one in self._running() if now_ms is not None and one[0].is_open(now_ms)])
        if now_ms is None:
            await self.set_state(VisionState.ERROR, "the broker's time is not known, and nothing passes")
        elif self._state is None or not self._state.is_operational:
            await self.set_state(VisionState.INITIALIZED)

    async def halt(self) -> None:
        """Take back every permission, and say so."""
        await self._keep([])
        await self.set_state(VisionState.HALTED)

    async def _build_states(self) -> None:
        space = self._space
        if space.vision is None:
            self._machine = await space.add_object(self._system, "VisionStateMachine", space.names)
        else:
            self._machine = await self._system.get_child(f"{space.vision}:VisionStateMachine")
        automatic = "AutomaticModeStateMachine"
        self._automatic = await space.add_object(self._machine, automatic, space.names, _AUTOMATIC_MODE)
        if space.vision is None:
            for machine in (self._machine, self._automatic):
                await space.add_variable(machine, "CurrentState", ua.Variant(ua.LocalizedText("")), space=0)

    async def _build_results(self) -> None:
        space, zero = self._space, ua.Variant(0, _UInt32)
        results = await space.add_object(self._system, "ResultManagement", space.names, _RESULT_MANAGEMENT)
        folder = await space.add_object(results, "Results", space.names, _RESULT_FOLDER)
        self._first = await space.add_variable(folder, "FirstSequence", zero)
        self._last = await space.add_variable(folder, "LastSequence", zero)
        for number in range(self._ring.maxlen or 0):
            name = f"Result{number:03d}"
            if space.vision is None:
                slot = await space.add_variable(folder, name, ua.Variant("", _String))
            else:
                slot = await space.add_typed(folder, name, _RESULT)
            await space.add_variable(slot, "Sequence", zero)
            self._slots.append(slot)
        integer, counter, text = ua.ObjectIds.Int64, ua.ObjectIds.UInt32, ua.ObjectIds.String
        asked = [("Epoch", integer, -1), ("Sequence", counter, -1)]
        found = [("Sequences", counter, 1), ("Results", text, 1)]
        answer = [("Epoch", integer, -1), ("IsGap", ua.ObjectIds.Boolean, -1), *found]
        await space.add_method(results, "GetResultsSince", self._since, asked, answer)
        await space.add_method(results, "GetLatestResult", self._latest, [], [*asked, ("Result", text, -1)])
        if space.vision is None:
            asked = [("ResultId", text, -1), ("Timeout", ua.ObjectIds.Int32, -1)]
            answer = [("Result", text, -1), ("Error", ua.ObjectIds.Int32, -1)]
            await space.add_method(results, "GetResultById", self._by_id, asked, answer)
        else:
            by_id = await results.get_child(f"{space.vision}:GetResultById")
            space.server.link_method(by_id, self._by_id)

    async def _build_events(self) -> None:
        server, space = self._space.server, self._space
        fields = [("Epoch", _Int64), ("Sequence", _UInt32), ("Disposition", _String), ("Permission", _Int64)]
        self._changed: EventGenerator | None = None
        self._started: EventGenerator | None = None
        if space.vision is None:
            name, kind, fields = "ResultReadyEventType", ua.ObjectIds.BaseEventType, [*fields, ("ResultId", _String)]
        else:
            name, kind = "DispositionReadyEventType", space.standard(_RESULT_READY)
            self._changed = await server.get_event_generator(space.standard(_STATE_CHANGED), self._system)
            self._started = await server.get_event_generator(space.standard(_JOB_STARTED), self._system)
        ready = await server.create_custom_event_type(space.own, name, kind, fields)
        self._ready = await server.get_event_generator(ready, self._system)

    async def _follow_line(self, notice: Notice) -> None:
        """A job is a recipe in production; in any other state of the line the system is ready and works on none."""
        told = notice.disposition
        if told.line_state is not None and told.line_state.mode is not LineMode.PRODUCTION:
            await self.set_state(VisionState.READY, f"the line is in {told.line_state.mode}")
            return
        await self.set_state(VisionState.CONTINUOUS)
        job = f"{self._epoch}.{told.recipe.recipe_id}@{told.recipe.version}"
        if job != self._job:
            self._job = job
            if self._started is not None:
                await self._fire(self._started, f"job {job}", {"JobId": structure("JobIdDataType", Id=job)})

    async def _permit(self, permission: GatePermission, ends_s: float) -> list[int]:
        self._open = [*self._open, (permission, ends_s)][-PERMISSION_SLOTS:]
        await self._space.write(self._permissions, self._permitted())
        loop = asyncio.get_running_loop()

        def end() -> None:
            task = loop.create_task(self._keep(self._running()))
            self._timers.add(task)
            task.add_done_callback(self._timers.discard)

        # The server takes it back itself, also where the thread that beats hangs.
        loop.call_at(ends_s, end)
        return _row(permission)

    def _running(self) -> list[tuple[GatePermission, float]]:
        now_s = asyncio.get_running_loop().time()
        return [one for one in self._open if now_s < one[1]]

    async def _keep(self, left: list[tuple[GatePermission, float]]) -> None:
        if left != self._open:
            self._open = left
            await self._space.write(self._permissions, self._permitted())

    def _permitted(self) -> ua.Variant:
        flat = [value for permission, _ in self._open for value in _row(permission)]
        return ua.Variant(flat + [0] * (PERMISSION_SLOTS * PERMISSION_FIELDS - len(flat)), _Int64)

    async def _show(self, entry: RingEntry) -> None:
        space, slot = self._space, self._slots[(entry.sequence - 1) % len(self._slots)]
        if entry.typed is None:
            await space.write(slot, ua.Variant(entry.text, _String))
        else:
            await space.write(slot, ua.Variant(entry.typed, ua.VariantType.ExtensionObject))
            for part in await slot.get_children():
                name = await part.read_browse_name()
                if name.NamespaceIndex == space.vision:
                    kind = await part.read_data_type_as_variant_type()
                    await space.write(part, ua.Variant(getattr(entry.typed, name.Name), kind))
        number = ua.Variant(entry.sequence, _UInt32)
        await space.write(await slot.get_child(f"{space.own}:Sequence"), number)
        await space.write(self._first, ua.Variant(self._ring[0].sequence, _UInt32))
        await space.write(self._last, number)

    def _typed(self, notice: Notice, text: str) -> Structure | None:
        if self._space.vision is None:
            return None
        told = notice.disposition
        recipe = structure("RecipeIdInternalDataType", Id=told.recipe.recipe_id, Version=str(told.recipe.version))
        return structure(
            "ResultDataType",
            ResultId=structure("ResultIdDataType", Id=notice.key),
            IsPartial=False,
            IsSimulated=told.is_simulated,
            ResultState=_COMPLETED,
            PartId=None if told.part_id is None else structure("PartIdDataType", Id=told.part_id),
            InternalRecipeId=recipe,
            ProductId=None if told.product_id is None else structure("ProductIdDataType", Id=told.product_id),
            InternalConfigurationId=structure("ConfigurationIdDataType", Id=OWN),
            JobId=structure("JobIdDataType", Id=self._job),
            CreationTime=datetime.fromtimestamp(told.decided_ms / 1000, UTC),
            ResultContent=[ua.Variant(text, _String)],
        )

    async def _fire(self, generator: EventGenerator, message: str, fields: dict[str, Any]) -> None:
        """Fire an event of the system, and the same of the server, where many clients listen."""
        event, server = generator.event, self._space.server
        for name, value in fields.items():
            event.add_property(name, value, _kind(value, event.data_types.get(name)))
        event.Severity, event.emitting_node = _SEVERITY, self._system.nodeid
        await generator.trigger(message=message)
        event.emitting_node = server.nodes.server.nodeid
        await server.iserver.subscription_service.trigger_event(event)

    async def _by_id(self, _parent: ua.NodeId, *asked: ua.Variant) -> MethodAnswer:
        if not asked:
            return ua.StatusCode(ua.StatusCodes.BadArgumentsMissing)
        is_plain = self._space.vision is None
        key = asked[0].Value if is_plain else getattr(asked[0].Value, "Id", None)
        found = next((entry for entry in reversed(self._ring) if entry.key == key), None)
        error = ua.Variant(0 if found else _UNKNOWN_RESULT, _Int32)
        if is_plain:
            return [ua.Variant(found.text if found else "", _String), error]
        result = found.typed if found else structure("ResultDataType")
        return [ua.Variant(0, _UInt32), ua.Variant(result, ua.VariantType.ExtensionObject), error]

    async def _latest(self, _parent: ua.NodeId, *_asked: ua.Variant) -> MethodAnswer:
        sequence, text = (self._ring[-1].sequence, self._ring[-1].text) if self._ring else (0, "")
        return [ua.Variant(self._epoch, _Int64), ua.Variant(sequence, _UInt32), ua.Variant(text, _String)]

    async def _since(self, _parent: ua.NodeId, *asked: ua.Variant) -> MethodAnswer:
        """What the ring has behind a sequence number; a gap where more was told since than it has."""
        if len(asked) < 2 or not all(isinstance(one.Value, int) for one in asked):
            return ua.StatusCode(ua.StatusCodes.BadArgumentsMissing)
        is_known = asked[0].Value == self._epoch and asked[1].Value <= self._told
        seen = asked[1].Value if is_known else 0
        found = [entry for entry in self._ring if entry.sequence > seen]
        return [
            ua.Variant(self._epoch, _Int64),
            ua.Variant(not is_known or self._told - seen != len(found), ua.VariantType.Boolean),
            ua.Variant([entry.sequence for entry in found], _UInt32, is_array=True),
            ua.Variant([entry.text for entry in found], _String, is_array=True),
        ]


def _row(permission: GatePermission) -> list[int]:
    return [permission.counter, permission.epoch, permission.sequence, permission.window_ms, permission.expires_ms]


def _kind(value: object, known: ua.VariantType | None) -> ua.VariantType:
    """How a field of an event goes out; types that a nodeset brings have no value yet, and so no kind."""
    if known is not None and known is not ua.VariantType.Null:
        return known
    if isinstance(value, bool):
        return ua.VariantType.Boolean
    if isinstance(value, datetime):
        return ua.VariantType.DateTime
    return _Int32 if isinstance(value, int) else ua.VariantType.ExtensionObject
