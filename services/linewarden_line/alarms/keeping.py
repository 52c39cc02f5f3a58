"""The alarms as a part of the line's process: what is learnt, what people ask for, and the records of both."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from linewarden_line import metrics
from linewarden_line.alarms.alarm_list import AlarmList, Sighting
from linewarden_line.alarms.cameras import CameraListener
from linewarden_line.alarms.flow import FlowWatch
from linewarden_line.alarms.limits import AlarmLimits
from linewarden_line.alarms.outcomes import OutcomeWatch
from linewarden_line.alarms.stages import StageWatch
from linewarden_runtime.clock import Clock
from linewarden_runtime.events import event_record
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.alarm import Alarm, AlarmEvent, AlarmRequest, AlarmTallies, LineWord
from linewarden_schemas.alarm_vocabulary import AlarmDemand, AlarmDoing, AlarmKind, AlarmPriority, AlarmStage, AlarmStep
from linewarden_schemas.base import Message
from linewarden_schemas.ids import InvalidId, Namespace

_log = structlog.get_logger(__name__)

LOOK_S = 5.0
"""How often is looked at what no message tells."""


class AlarmKeeping:
    """Keeps the list of one line's alarms; a `LinePart`."""

    def __init__(
        self, namespace: Namespace, line_id: str, limits: AlarmLimits, stages: StageWatch, clock: Clock
    ) -> None:
        self._namespace, self._line_id, self._clock, self._stages = namespace, line_id, clock, stages
        self._list = AlarmList(line_id)
        self._cameras, self._outcomes = CameraListener(limits, clock.now_ms()), OutcomeWatch(limits)
        self._flow = FlowWatch(line_id, limits)
        self._looked_s, self._floods = float("-inf"), 0

    def recall(self, message: Message, record: InRecord) -> None:
        """Restore the list, and what was counted for it."""
        match message:
            case Alarm() if message.line_id == self._line_id:
                self._list.recall(message)
            case LineWord() if message.line_id == self._line_id and message.tallies is not None:
                self._cameras.recall(message.tallies.cameras)
                self._outcomes.rejects.recall(message.tallies.rejects)
                self._outcomes.bins.recall(message.tallies.bins)
            case _:
                self._see(self._flow.learn(message, record.timestamp_ms))

    def learn(self, message: Message, record: InRecord) -> None:
        """Take what came: of this line, or of nobody's in particular."""
        if getattr(message, "line_id", self._line_id) != self._line_id:
            return
        now_ms = self._clock.now_ms()
        if isinstance(message, AlarmRequest):
            self._ask(message, now_ms)
            return
        self._see(self._cameras.learn(message, now_ms))
        self._see(self._outcomes.learn(message))
        self._see(self._flow.learn(message, record.timestamp_ms))

    def due(self, now_ms: int) -> list[OutRecord]:
        """The steps that are due, and each alarm that they changed as it stands."""
        if self._clock.monotonic() - self._looked_s >= LOOK_S:
            self._looked_s = self._clock.monotonic()
            self._see(self._cameras.silent(now_ms))
            self._see(self._flow.look(now_ms))
            self._see(self._stages.look(now_ms))
        events = self._list.turn(now_ms)
        if not events:
            return []
        for event in events:
            self._tell(event)
        changed = {event.alarm.alarm_id: self._list.alarms.get(event.alarm.alarm_id, event.alarm) for event in events}
        source = self._namespace.source("line")
        steps = [
            event_record(
                self._namespace.topic("alarm-events"),
                event.alarm.alarm_id,
                event,
                id=f"{event.alarm.alarm_id}.{event.at_ms}.{number}",
                source=source,
                time_ms=event.at_ms,
            )
            for number, event in enumerate(events)
        ]
        states = [
            event_record(
                self._namespace.topic("alarms"), name, alarm, id=f"{name}.{now_ms}", source=source, time_ms=now_ms
            )
            for name, alarm in changed.items()
        ]
        return [*steps, *states]

    def word(self, word: LineWord, now_ms: int) -> LineWord:
        """How the list stands, and what is counted for it."""
        load = self._list.load(now_ms)
        asks = {None: 0, AlarmDemand.SLOWER: 1, AlarmDemand.STOP: 2}
        metrics.DEMAND.labels(line=self._line_id).set(asks[load.demand])
        metrics.RAISED.labels(line=self._line_id).set(load.raised)
        metrics.FLOOD.labels(line=self._line_id).set(load.is_flood)
        metrics.FLOODS.labels(line=self._line_id).inc(self._list.floods - self._floods)
        self._floods = self._list.floods
        new = {AlarmStage.UNACKNOWLEDGED, AlarmStage.RETURNED}
        for priority in AlarmPriority:
            mine = [one for one in self._list.alarms.values() if one.priority is priority and one.stage in new]
            metrics.UNACKNOWLEDGED.labels(line=self._line_id, priority=priority.value).set(len(mine))
            oldest_ms = min((one.raised_ms or now_ms for one in mine), default=now_ms)
            metrics.OLDEST_SECONDS.labels(line=self._line_id, priority=priority.value).set(
                max(0, now_ms - oldest_ms) / 1000
            )
        tallies = AlarmTallies(
            cameras=self._cameras.heard(),
            bins=self._outcomes.bins.tallies(),
            rejects=self._outcomes.rejects.tallies(),
        )
        return word.model_copy(update={"load": load, "tallies": tallies})

    def _see(self, sightings: Iterable[Sighting]) -> None:
        now_ms = self._clock.now_ms()
        for seen in sightings:
            try:
                self._list.see(seen, now_ms)
            except InvalidId as error:
                # A name that is too long for an id beside the line's: told without it, rather than not at all.
                _log.warning("an alarm is told without what it is about", kind=seen.kind.value, why=str(error))
                self._list.see(Sighting(seen.kind, None, seen.holds, seen.said, seen.is_simulated), now_ms)

    def _ask(self, request: AlarmRequest, now_ms: int) -> None:
        bin_id = request.alarm_id.removeprefix(f"{request.line_id}.{AlarmKind.BIN_FULL.value}.")
        if request.doing is AlarmDoing.COUNT and request.count is not None and self._outcomes.bins.is_bin(bin_id):
            self._list.told(request, AlarmStep.COUNTED, now_ms)
            self._see(self._outcomes.bins.emptied(bin_id, request.count))
            return
        alarm = self._list.alarms.get(request.alarm_id)
        is_done = self._list.ask(request, now_ms)
        metrics.REQUESTS.labels(line=self._line_id, doing=request.doing.value, done=str(is_done).lower()).inc()
        if is_done and request.doing is AlarmDoing.RESET and alarm is not None and alarm.kind is AlarmKind.REJECT_RUN:
            self._outcomes.rejects.reset(alarm.subject)

    def _tell(self, event: AlarmEvent) -> None:
        metrics.STEPS.labels(line=self._line_id, kind=event.alarm.kind.value, step=event.step.value).inc()
        _log.info(
            "alarm",
            step=event.step.value,
            alarm_id=event.alarm.alarm_id,
            stage=event.alarm.stage.value,
            priority=event.alarm.priority.value,
            detail=event.alarm.detail,
            actor=event.actor,
            why=event.comment,
        )
