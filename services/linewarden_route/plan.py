"""One cycle of one partition: due timers and records become outputs and changes, without touching the memory.

The memory takes the changes over only when the transaction that carries the outputs has committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from linewarden_domain.words import Said, said
from linewarden_route.bounds import halved
from linewarden_route.events import (
    ActuationSeen,
    CaptureSeen,
    Context,
    Dead,
    DecisionSeen,
    DropSlot,
    Effect,
    Event,
    InspectionSeen,
    LineWithheld,
    PassLate,
    Publish,
    RoutingSeen,
    RoutingUnseen,
    SlotsSeen,
    TimerDue,
)
from linewarden_route.line_watch import LineWatch
from linewarden_route.visit import step
from linewarden_route.visits import Visits
from linewarden_route.writing import Writer, camera_key
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import MOST_VISIT_ID, InvalidId, Namespace, number_in
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.operations import Actuation
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot

JOINED = ("captures", "inspections", "decisions", "actuations")
"""The topics that route joins; a partition of it is the same partition number of all of them."""

WRITTEN = ("dispositions", "reinspections", "route-state")
"""The topics that route writes, each in the partition that it read."""


@dataclass(frozen=True, slots=True)
class RouteDesk:
    """What every partition of a process shares: names, recipes, the coins' secret, dead letters.

    `poison` is capped; `rejects` are records that came too late or for nothing, which are no sign of a bad release.
    """

    namespace: Namespace
    recipe: Callable[[RecipeRef], Recipe | None]
    partition_of: Callable[[str], int]
    secret: bytes
    poison: DeadLetters
    rejects: DeadLetters
    dead_letters: Sequence[Position] = ()
    """Every partition of the dead letters, which all partitions write to."""
    partitions: int = 1
    append_time: bool = True
    """Whether the broker stamps records; if not, what is read counts as appended now."""
    named: Callable[[RecipeRef], Recipe | None] = lambda _: None
    """The content that a reference names where `recipe` has none, since its version is in doubt."""
    withheld: Callable[[str, int], Said | None] = lambda _line, _now_ms: said("line_now_unknown")
    """Why a part of a line must not pass now (epoch ms)."""
    lines: LineWatch | None = None
    """Where it is asked whether a state was learnt that was told before a pass was decided."""
    look: Callable[[], None] = lambda: None
    """Learn what the lines' states are, where nobody else does."""

    def writes(self, partition: int) -> list[Position]:
        """Where the transactions of a partition write."""
        return [*(Position(self.namespace.topic(name), partition) for name in WRITTEN), *self.dead_letters]


class Poisoned(ValueError):
    """A record that can never be handled; its cause is a short stable word."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


@dataclass(slots=True)
class TransactionPlan:
    """What one transaction of a partition will say, and what is true once it has committed."""

    visits: Visits
    desk: RouteDesk
    writer: Writer
    now_ms: int
    outputs: list[OutRecord] = field(default_factory=list)
    changes: dict[str, VisitSnapshot | None] = field(default_factory=dict)
    cameras: dict[str, CameraProgress] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    revised: dict[str, int] = field(default_factory=dict)
    due: list[str] = field(default_factory=list)
    taken: list[InRecord] = field(default_factory=list)
    lettered: list[InRecord] = field(default_factory=list)
    read_to: dict[Position, int] | None = None
    """How far this plan says that the partition was read; None where it says nothing."""
    said_from: int = 0
    """An offset of `dispositions` before which none of this plan's will lie."""
    routed_until_ms: int | None = None
    is_timed: bool = True

    def run_timers(self, visit_ids: Sequence[str]) -> None:
        """Look at visits whose timer has run out."""
        for visit_id in visit_ids:
            self.due.append(visit_id)
            self._step(visit_id, TimerDue(), None, None)

    def given(self) -> list[Disposition]:
        """The passes of this plan."""
        messages = [effect.message for effect in self.effects if isinstance(effect, Publish)]
        return [one for one in messages if isinstance(one, Disposition) and one.is_pass]

    def passes(self) -> list[tuple[str, int]]:
        """Visits that pass by this plan, with their decide-by (epoch ms)."""
        return [(one.visit_id, one.decide_by_ms) for one in self.given()]

    def halve(self, visit_id: str) -> None:
        """Let a visit forget half of its frames, for which it diverts."""
        visit = self.changes.get(visit_id) or self.visits.get(visit_id)
        if visit is not None and visit.views:
            self.changes[visit_id] = halved(visit)

    def settle(self, visit_id: str, event: RoutingSeen | RoutingUnseen | SlotsSeen | PassLate | LineWithheld) -> None:
        """Bring the visit and what readers see of it together again."""
        self._step(visit_id, event, None, None)

    def under_review(self) -> set[str]:
        """Visits that are routed and not final, as they will be."""
        open_now = {name for name in self.visits.open_ids() if self.visits.revision(name) >= 0}
        changed = {name: visit for name, visit in self.changes.items() if visit is not None}
        return open_now - changed.keys() | {n for n, one in changed.items() if one.revision >= 0 and not one.final}

    def reject(self, strays: Sequence[tuple[InRecord, str]]) -> None:
        """Dead letters of records that are none of route's, in topics that are route's."""
        self.outputs += [self.desk.rejects.letter(record, "stray", detail) for record, detail in strays]

    def take(self, record: InRecord) -> None:
        """Handle one record; one that cannot be handled becomes a dead letter."""
        self.taken.append(record)
        try:
            self._handle(record)
        except Poisoned as poison:
            self._give_up(record, poison.cause, str(poison))
        else:
            self.desk.poison.passed()

    def refuse(self, record: InRecord, cause: str, detail: str) -> None:
        """Give up a record that was tried before."""
        self.taken.append(record)
        self._give_up(record, cause, detail)

    def _give_up(self, record: InRecord, cause: str, detail: str) -> None:
        self.lettered.append(record)
        self.outputs.append(self.desk.poison.letter(record, cause, detail))

    def finish(self) -> None:
        """Add the new states, once each however often a visit changed."""
        for name, visit in self.changes.items():
            first = self.revised.get(name)
            revised = None if first is None else (self.said_from, first)
            self.outputs.append(self.writer.state(name, visit, self.now_ms, revised))
        self.outputs += [self.writer.camera(progress, self.now_ms) for progress in self.cameras.values()]

    def apply(self) -> None:
        """Let the memory know what has committed."""
        for visit_id, visit in self.changes.items():
            self.visits.put(visit_id, visit)
            if visit is not None and visit.revision == 0 and not visit.final:
                self.visits.positions.learn(visit, self.desk.recipe(visit.recipe))
        self.visits.cameras.update(self.cameras)

    def _handle(self, record: InRecord) -> None:
        try:
            event = decode(record.headers, record.value)
            logical = self.desk.namespace.logical(record.topic)
        except (EnvelopeError, InvalidId) as error:
            raise Poisoned("bad-envelope", str(error)) from error
        message = event.message
        # It tells the audit of a lost tail, and says nothing of any visit.
        if isinstance(message, CameraHeartbeat) and logical == "captures":
            return
        append_ms = record.timestamp_ms if self.desk.append_time else self.now_ms
        happened: CaptureSeen | InspectionSeen | DecisionSeen | ActuationSeen
        if isinstance(message, Capture) and logical == "captures":
            happened = CaptureSeen(message, append_ms)
        elif isinstance(message, Inspection) and logical == "inspections":
            at = SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)
            happened = InspectionSeen(message, at, append_ms)
        elif isinstance(message, Decision) and logical == "decisions":
            happened = DecisionSeen(message)
        elif isinstance(message, Actuation) and logical == "actuations":
            happened = ActuationSeen(message)
        else:
            raise Poisoned("unexpected-type", f"{type(message).__name__} does not belong into {logical}")
        visit_id = message.visit_id
        if len(visit_id) > MOST_VISIT_ID:
            raise Poisoned("bad-id", f"visit {visit_id} has {len(visit_id)} characters; {MOST_VISIT_ID} are allowed")
        if self.desk.partition_of(visit_id) != self.writer.partition:
            raise Poisoned("wrong-partition", f"visit {visit_id} belongs to {self.desk.partition_of(visit_id)}")
        # Before the camera's progress takes this record in: a new spool epoch would hide what was forgotten.
        was_forgotten = isinstance(message, Capture | Inspection) and self._was_forgotten(message)
        # The number of a known-bad is none of the camera's, however high its epoch.
        if isinstance(message, Capture) and not message.known_bad:
            self._reach(message.line_id, message.camera_id, (message.spool_epoch, message.sequence))
        self._step(visit_id, happened, record, event.traceparent, was_forgotten=was_forgotten)

    def _step(
        self,
        visit_id: str,
        event: Event,
        record: InRecord | None,
        traceparent: str | None,
        *,
        was_forgotten: bool = False,
    ) -> None:
        # Not `get`: a change may be None, of a visit that this very plan forgets.
        before = self.changes[visit_id] if visit_id in self.changes else self.visits.get(visit_id)
        positions = self.visits.positions.of(before) if before is not None else ()
        recipe, until_ms = self._recipe(before, event, self.desk.recipe), self.routed_until_ms
        named = self._recipe(before, event, self.desk.named) if recipe is None else None
        line_id = _line_of(before, event)
        withheld = None if line_id is None else self.desk.withheld(line_id, self.now_ms)
        context = Context(
            self.now_ms, recipe, self.desk.secret, positions, until_ms, self.is_timed, named, was_forgotten, withheld
        )
        after = step(before, event, context)
        if after.visit is not before:
            self.changes[visit_id] = after.visit
        if before is not None and after.visit is None and not before.known_bad:
            self._forget_numbers(before)
        messages = [effect.message for effect in after.effects if isinstance(effect, Publish)]
        if told := [message.revision for message in messages if isinstance(message, Disposition)]:
            self.changes[visit_id] = after.visit
            # The state goes along, also where it is as before: a restore finds the revision by it.
            self.revised.setdefault(visit_id, min(told))
        self.effects += after.effects
        self.outputs += [
            out for effect in after.effects for out in self._written(effect, record, visit_id, traceparent)
        ]

    def _recipe(
        self, visit: VisitSnapshot | None, event: Event, find: Callable[[RecipeRef], Recipe | None]
    ) -> Recipe | None:
        if visit is not None:
            return find(visit.recipe)
        match event:
            case CaptureSeen():
                return find(event.capture.recipe)
            case InspectionSeen():
                return find(event.inspection.recipe)
            case RoutingSeen():
                return find(event.disposition.recipe)
            case SlotsSeen():
                return next((find(slot.recipe) for slot in event.slots if isinstance(slot, SlotOpen)), None)
            case _:
                return None

    def _written(
        self, effect: Effect, record: InRecord | None, visit_id: str, traceparent: str | None
    ) -> list[OutRecord]:
        match effect:
            case Publish():
                return [self.writer.published(effect.message, self.now_ms, traceparent)]
            case DropSlot():
                return [self.writer.no_slot(effect.slot_id)]
            case Dead() if record is not None:
                self.lettered.append(record)
                return [self.desk.rejects.letter(record, effect.cause, effect.detail, visit_id=visit_id)]
            case _:
                return []

    def _reach(self, line_id: str, camera_id: str, number: tuple[int, int], *, is_forgotten: bool = False) -> None:
        """Let the camera have come as far as a number at least; one of a former spool epoch tells nothing more."""
        epoch, sequence = number
        seen = CameraProgress(line_id=line_id, camera_id=camera_id, spool_epoch=epoch, highest_sequence=sequence)
        known = self._progress(camera_key(seen))
        if known is None or known.spool_epoch < epoch:
            known = seen
        if known.spool_epoch > epoch:
            return
        changes = {"highest_sequence": max(known.highest_sequence, sequence)}
        if is_forgotten:
            changes["forgotten_sequence"] = max(known.forgotten_sequence or 0, sequence)
        reached = known.model_copy(update=changes)
        if reached != self._progress(camera_key(seen)):
            self.cameras[camera_key(seen)] = reached

    def _forget_numbers(self, visit: VisitSnapshot) -> None:
        """Remember of a visit that is forgotten the numbers alone."""
        for view in visit.views:
            number = number_in(view.frame_id)
            if number is not None and view.camera_id is not None:
                self._reach(visit.line_id, view.camera_id, number, is_forgotten=True)

    def _progress(self, key: str) -> CameraProgress | None:
        return self.cameras.get(key) or self.visits.cameras.get(key)

    def _was_forgotten(self, record: Capture | Inspection) -> bool:
        """Whether a visit of as high a number of the record's camera was forgotten; its frame's id tells the number."""
        if record.clock_checked:
            return False  # of a clock that was compared the time itself tells, at less cost for every record
        number = number_in(record.frame_id)
        known = self._progress(camera_key(record))
        if number is None or known is None or known.forgotten_sequence is None:
            return False
        return number[0] == known.spool_epoch and number[1] <= known.forgotten_sequence


def _line_of(visit: VisitSnapshot | None, event: Event) -> str | None:
    """The line of a visit, as its first record names it; None where there is neither."""
    match event:
        case _ if visit is not None:
            return visit.line_id
        case CaptureSeen():
            return event.capture.line_id
        case InspectionSeen():
            return event.inspection.line_id
        case RoutingSeen():
            return event.disposition.line_id
        case _:
            return None
