"""The list of alarms of one line: conditions and people in, steps of lives out. Pure, with time as a parameter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from linewarden_domain.alarms import (
    FLOOD_MS,
    MOST_IN_FLOOD_MS,
    MOST_SHELVED_MS,
    RULES,
    demanded,
    explains,
)
from linewarden_domain.words import Said
from linewarden_line.alarms import life
from linewarden_schemas.alarm import Alarm, AlarmEvent, AlarmLoad, AlarmRequest
from linewarden_schemas.alarm_vocabulary import AlarmDoing, AlarmKind, AlarmPriority, AlarmStage, AlarmStep

CHATTERS = 3
"""So many lives within `FLOOD_MS` make an alarm chatter: it then stands until its condition was over for long."""
CHATTER_OFF_MS = 300_000
REPEATS_MS = 60_000
"""How often an alarm that repeats itself is written again."""
RELEASE_MS = 30_000
"""How long what followed from a cause may go on behind its end before somebody has to act on it too."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is seen of a condition: that it holds, or holds no more; of an event, that it just happened."""

    kind: AlarmKind
    subject: str | None = None
    holds: bool = True
    said: Said | None = None
    is_simulated: bool = False


@dataclass(slots=True)
class _Condition:
    """What is known of a condition now; not written, and after a restart known again from what is seen."""

    holds: bool = False
    since_ms: int = 0
    seen_ms: int = 0
    happened: int = 0
    said: Said | None = None
    is_simulated: bool = False
    lives: deque[int] = field(default_factory=deque)
    repeats: int = 0
    told_ms: int = 0
    unexplained_ms: int | None = None


class AlarmList:
    """Every alarm of a line. `turn` gives the steps since it was called last, in their order."""

    def __init__(self, line_id: str) -> None:
        self.line_id = line_id
        self.alarms: dict[str, Alarm] = {}
        self._conditions: dict[str, _Condition] = {}
        self._steps: list[AlarmEvent] = []
        self._raised: deque[int] = deque()
        self._is_flood, self.floods = False, 0

    def recall(self, alarm: Alarm) -> None:
        """Take an alarm as it was written last; its condition counts as holding until something else is seen."""
        self.alarms[alarm.alarm_id] = alarm
        holds = life.is_active(alarm) and not RULES[alarm.kind].is_event
        self._conditions[alarm.alarm_id] = _Condition(holds, alarm.began_ms or 0, alarm.raised_ms or 0)

    def see(self, seen: Sighting, now_ms: int) -> None:
        """Take what was seen of a condition. Raises InvalidId for a subject that makes no id."""
        alarm = life.normal(self.line_id, seen.kind, seen.subject)
        if alarm.alarm_id not in self.alarms:
            if not seen.holds:
                return
            self.alarms[alarm.alarm_id] = alarm
        condition = self._conditions.setdefault(alarm.alarm_id, _Condition())
        if not seen.holds:
            condition.holds = False
            return
        if not condition.holds:
            condition.since_ms = now_ms
            condition.repeats += life.is_active(self.alarms[alarm.alarm_id])
        is_event = RULES[seen.kind].is_event
        condition.holds, condition.seen_ms = not is_event, now_ms
        condition.happened += is_event
        condition.said = seen.said or condition.said
        condition.is_simulated = seen.is_simulated

    def ask(self, request: AlarmRequest, now_ms: int) -> bool:
        """Do what a person wants with an alarm, or say why not; whether it was done."""
        alarm = self.alarms.get(request.alarm_id)
        if alarm is None:
            alarm = _named(request)
            if alarm is None:
                return False
        why = _refusal(alarm, request, now_ms)
        if why is not None:
            self._step(AlarmStep.REFUSED, alarm, now_ms, request, why)
            return False
        step, changed = _DONE[request.doing](alarm, request, now_ms)
        if request.doing is AlarmDoing.RESET:
            self._conditions.setdefault(alarm.alarm_id, _Condition()).holds = False
        self._step(step, changed, now_ms, request, request.comment)
        return True

    def told(self, request: AlarmRequest, step: AlarmStep, now_ms: int, why: str | None = None) -> None:
        """Put down what became of a request that is no matter of this list."""
        alarm = self.alarms.get(request.alarm_id) or _named(request)
        if alarm is not None:
            self._step(step, alarm, now_ms, request, why or request.comment)

    def turn(self, now_ms: int) -> list[AlarmEvent]:
        """Let time go on: shelves end, conditions hold or are over for long enough, some alarms explain others."""
        for alarm in list(self.alarms.values()):
            if alarm.shelved_until_ms is not None and alarm.shelved_until_ms <= now_ms:
                self._step(AlarmStep.UNSHELVED, life.unshelved(alarm), now_ms)
        for name, condition in self._conditions.items():
            self._live(self.alarms[name], condition, now_ms)
        self._group(now_ms)
        self._count_flood(now_ms)
        steps, self._steps = self._steps, []
        return steps

    def load(self, now_ms: int) -> AlarmLoad:
        """How the list stands, for the process's word."""
        new = [one for one in self.alarms.values() if one.stage in {AlarmStage.UNACKNOWLEDGED, AlarmStage.RETURNED}]
        return AlarmLoad(
            unacknowledged=len(new),
            high=sum(one.priority is AlarmPriority.HIGH for one in new),
            active=self._count(life.is_active),
            shelved=self._count(lambda one: one.stage is AlarmStage.SHELVED),
            suppressed=self._count(lambda one: one.stage is AlarmStage.SUPPRESSED),
            raised=sum(at > now_ms - FLOOD_MS for at in self._raised),
            is_flood=self._is_flood,
            demand=demanded(self.alarms.values()),
        )

    def _count(self, is_it: Callable[[Alarm], bool]) -> int:
        return sum(map(is_it, self.alarms.values()))

    def _live(self, alarm: Alarm, condition: _Condition, now_ms: int) -> None:
        if condition.holds:
            condition.seen_ms = now_ms
        is_due = condition.happened > 0 or (condition.holds and now_ms - condition.since_ms >= RULES[alarm.kind].on_ms)
        if life.is_active(alarm):
            condition.happened = 0
            quiet_ms = now_ms - condition.seen_ms
            if not condition.holds and quiet_ms >= self._off_ms(alarm):
                self._repeat(alarm, condition, now_ms, at_once=True)
                self._step(AlarmStep.RETURNED, life.returned(self.alarms[alarm.alarm_id], condition.seen_ms), now_ms)
            else:
                self._repeat(alarm, condition, now_ms)
        elif is_due:
            condition.happened = 0
            self._raise(alarm, condition, now_ms)

    def _raise(self, alarm: Alarm, condition: _Condition, now_ms: int) -> None:
        if life.lives(alarm) and alarm.acknowledged_ms is None:
            self._step(AlarmStep.REPEATED, life.repeated(alarm, condition.said), now_ms)
            return
        while condition.lives and condition.lives[0] <= now_ms - FLOOD_MS:
            condition.lives.popleft()
        condition.lives.append(now_ms)
        condition.repeats, condition.told_ms = 0, now_ms
        began = life.raised(
            alarm,
            condition.since_ms,
            now_ms,
            condition.said,
            is_chattering=len(condition.lives) >= CHATTERS,
            simulated=condition.is_simulated,
        )
        self._step(AlarmStep.RAISED, began, now_ms)

    def _repeat(self, alarm: Alarm, condition: _Condition, now_ms: int, *, at_once: bool = False) -> None:
        if condition.repeats and (at_once or now_ms - condition.told_ms >= REPEATS_MS):
            times, condition.repeats, condition.told_ms = condition.repeats, 0, now_ms
            self._step(AlarmStep.REPEATED, life.repeated(alarm, condition.said, times), now_ms)

    def _off_ms(self, alarm: Alarm) -> int:
        off_ms = RULES[alarm.kind].off_ms
        return max(off_ms, CHATTER_OFF_MS) if alarm.is_chattering else off_ms

    def _group(self, now_ms: int) -> None:
        """Which alarm explains which, by how the causes stand; a circle is impossible, so once round is enough."""
        living = [one for one in self.alarms.values() if life.lives(one)]
        for alarm in living:
            if not life.is_active(alarm) and alarm.caused_by is None:
                continue
            cause = _first_cause(alarm, living)
            condition = self._conditions.setdefault(alarm.alarm_id, _Condition())
            if cause is None and alarm.caused_by is not None and not self._is_free(alarm, condition, now_ms):
                continue
            condition.unexplained_ms = None
            if cause != alarm.caused_by:
                step = AlarmStep.RELEASED if cause is None else AlarmStep.SUPPRESSED
                self._step(step, life.explained(alarm, cause), now_ms)

    def _is_free(self, alarm: Alarm, condition: _Condition, now_ms: int) -> bool:
        """Whether an alarm whose cause is over stands for itself: a consequence may end a little after its cause."""
        cause = self.alarms.get(alarm.caused_by or "")
        if cause is None or cause.stage in {AlarmStage.SHELVED, AlarmStage.OUT_OF_SERVICE}:
            return True
        if condition.unexplained_ms is None:
            condition.unexplained_ms = now_ms
        holds = condition.holds or RULES[alarm.kind].is_latched
        return holds and now_ms - condition.unexplained_ms >= RELEASE_MS

    def _count_flood(self, now_ms: int) -> None:
        risen = {one.alarm.alarm_id for one in self._steps if one.step in _RISES}
        asking = [name for name in risen if self.alarms[name].stage is AlarmStage.UNACKNOWLEDGED]
        self._raised += [now_ms] * len(asking)
        while self._raised and self._raised[0] <= now_ms - FLOOD_MS:
            self._raised.popleft()
        was, self._is_flood = self._is_flood, len(self._raised) > MOST_IN_FLOOD_MS
        self.floods += self._is_flood and not was

    def _step(
        self,
        step: AlarmStep,
        alarm: Alarm,
        now_ms: int,
        request: AlarmRequest | None = None,
        comment: str | None = None,
    ) -> None:
        self.alarms[alarm.alarm_id] = alarm
        asked = {} if request is None else {"actor": request.actor, "request_id": request.request_id}
        self._steps.append(AlarmEvent(step=step, alarm=alarm, at_ms=now_ms, comment=comment, **asked))


def _first_cause(alarm: Alarm, others: Iterable[Alarm]) -> str | None:
    causes = [one for one in others if one.alarm_id != alarm.alarm_id and explains(one, alarm)]
    return min(causes, key=lambda one: (one.began_ms or 0, one.alarm_id)).alarm_id if causes else None


_RISES = {AlarmStep.RAISED, AlarmStep.RELEASED, AlarmStep.UNSHELVED}
"""Steps that may put something before people that was not there."""


def _named(request: AlarmRequest) -> Alarm | None:
    """The alarm that a request names, as it is before it was ever raised; None where the name is none."""
    kind, _, subject = request.alarm_id.removeprefix(f"{request.line_id}.").partition(".")
    if kind not in list(AlarmKind):
        return None
    alarm = life.normal(request.line_id, AlarmKind(kind), subject or None)
    return alarm if alarm.alarm_id == request.alarm_id else None


def _refusal(alarm: Alarm, request: AlarmRequest, now_ms: int) -> str | None:
    """Why a request cannot be done, in words; None where it can."""
    if request.occurrence is not None and request.occurrence != alarm.occurrence:
        return f"it was life {request.occurrence} of the alarm that was seen; life {alarm.occurrence} is the last"
    for is_so, why in _OBSTACLES[request.doing]:
        if is_so(alarm, request, now_ms):
            return why.format(alarm=alarm, hours=MOST_SHELVED_MS // 3_600_000)
    return None


_Obstacle = tuple[Callable[[Alarm, AlarmRequest, int], bool], str]
_STANDS_NOT: _Obstacle = (lambda alarm, _asked, _now_ms: not life.lives(alarm), "it does not stand")
_IS_REMOVED: _Obstacle = (
    lambda alarm, _asked, _now_ms: alarm.removed_by is not None,
    "{alarm.removed_by} has taken it out of service",
)
_OBSTACLES: dict[AlarmDoing, tuple[_Obstacle, ...]] = {
    AlarmDoing.ACKNOWLEDGE: (
        _STANDS_NOT,
        (
            lambda alarm, _asked, _now_ms: alarm.acknowledged_ms is not None,
            "{alarm.acknowledged_by} has acknowledged it",
        ),
    ),
    AlarmDoing.RESET: (
        _STANDS_NOT,
        (
            lambda alarm, _asked, _now_ms: not RULES[alarm.kind].is_latched,
            "it ends by itself once its cause is mended",
        ),
    ),
    AlarmDoing.SHELVE: (
        _IS_REMOVED,
        (
            lambda _alarm, asked, now_ms: not now_ms < (asked.until_ms or 0) <= now_ms + MOST_SHELVED_MS,
            "a shelf ends within {hours} hours",
        ),
    ),
    AlarmDoing.UNSHELVE: ((lambda alarm, _asked, _now_ms: alarm.shelved_until_ms is None, "it is not shelved"),),
    AlarmDoing.REMOVE: (_IS_REMOVED,),
    AlarmDoing.RESTORE: ((lambda alarm, _asked, _now_ms: alarm.removed_by is None, "it is in service"),),
    AlarmDoing.COUNT: (
        (lambda _alarm, _asked, _now_ms: True, "only a bin that LINEWARDEN_LINE__ALARMS__BINS names can be counted"),
    ),
}


_Doing = Callable[[Alarm, AlarmRequest, int], tuple[AlarmStep, Alarm]]
_DONE: dict[AlarmDoing, _Doing] = {
    AlarmDoing.ACKNOWLEDGE: lambda alarm, asked, now_ms: (
        AlarmStep.ACKNOWLEDGED,
        life.acknowledged(alarm, asked.actor, now_ms),
    ),
    AlarmDoing.RESET: lambda alarm, _asked, _now_ms: (AlarmStep.RESET, life.reset(alarm)),
    AlarmDoing.SHELVE: lambda alarm, asked, now_ms: (
        AlarmStep.SHELVED,
        life.shelved(alarm, asked.actor, asked.until_ms or now_ms),
    ),
    AlarmDoing.UNSHELVE: lambda alarm, _asked, _now_ms: (AlarmStep.UNSHELVED, life.unshelved(alarm)),
    AlarmDoing.REMOVE: lambda alarm, asked, _now_ms: (AlarmStep.REMOVED, life.removed(alarm, asked.actor)),
    AlarmDoing.RESTORE: lambda alarm, _asked, _now_ms: (AlarmStep.RESTORED, life.restored(alarm)),
}
