"""What alarms are: how urgent each kind is, what it asks for, which one explains which, and the list as people see it.

After IEC 62682 and ISA-18.2: one list, one scheme of priorities, and what follows from a cause stands under it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from linewarden_schemas.alarm import Alarm, LineWord
from linewarden_schemas.alarm_vocabulary import AlarmDemand, AlarmKind, AlarmPriority, AlarmStage

MOST_SHELVED_MS = 8 * 3_600_000
"""The longest shelf: a shift, so that whoever comes next decides anew."""
WORD_STALE_MS = 10_000
"""Age of the word of a line's process from which nobody knows what its alarms are."""
TOGETHER_MS = 10_000
"""Alarms of one kind that begin within this time have one cause: the light, the switch, the computer."""
FLOOD_MS = 600_000
MOST_IN_FLOOD_MS = 10
"""More raised alarms than these in that time are a flood: nobody can act on each (ISA-18.2)."""


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """How alarms of one kind behave. Times in ms.

    The condition holds for `on_ms` before it is raised, and is over for `off_ms` before it counts as over: both keep
    one that flaps from being raised again and again. A latched one stands, whatever its condition, until it is reset.
    `is_event`: its condition is that something happened, and stands for as long as another one would say the same.
    """

    priority: AlarmPriority
    demand: AlarmDemand | None = None
    is_latched: bool = False
    is_event: bool = False
    on_ms: int = 0
    off_ms: int = 10_000


_HIGH, _MEDIUM, _LOW = AlarmPriority.HIGH, AlarmPriority.MEDIUM, AlarmPriority.LOW
_STOP, _SLOWER = AlarmDemand.STOP, AlarmDemand.SLOWER
K = AlarmKind
RULES: Mapping[AlarmKind, AlarmRule] = {
    K.CAMERA_LOST: AlarmRule(_MEDIUM),
    K.CAMERA_FROZEN: AlarmRule(_HIGH, off_ms=30_000),
    K.CAMERA_DARK: AlarmRule(_MEDIUM, off_ms=30_000),
    K.CAMERA_BRIGHT: AlarmRule(_MEDIUM, off_ms=30_000),
    K.CAMERA_BLURRED: AlarmRule(_MEDIUM, off_ms=30_000),
    K.CAMERA_TORN: AlarmRule(_LOW, off_ms=30_000),
    K.CAMERA_SLOW: AlarmRule(_LOW, off_ms=30_000),
    K.CAMERA_MOVED: AlarmRule(_MEDIUM, off_ms=30_000),
    K.CAMERA_SILENT: AlarmRule(_MEDIUM),
    K.CLOCK_WRONG: AlarmRule(_MEDIUM, off_ms=30_000),
    K.VISIT_REVISED: AlarmRule(_HIGH, is_event=True, off_ms=60_000),
    K.GATE_DIFFERS: AlarmRule(_HIGH, _STOP, is_latched=True, is_event=True, off_ms=60_000),
    K.GATE_MISSING: AlarmRule(_HIGH, is_event=True, off_ms=60_000),
    K.GATE_LATE: AlarmRule(_LOW),
    K.DEAD_LETTERS: AlarmRule(_LOW, is_event=True, off_ms=60_000),
    K.OUTPUT_SILENT: AlarmRule(_MEDIUM),
    K.STAGE_BEHIND: AlarmRule(_MEDIUM, on_ms=5_000),
    K.REVIEW_SLOWER: AlarmRule(_LOW, _SLOWER, on_ms=5_000, off_ms=60_000),
    K.REVIEW_STOP: AlarmRule(_MEDIUM, _STOP, on_ms=5_000, off_ms=60_000),
    K.BALANCE_OPEN: AlarmRule(_HIGH),
    K.LINE_LOCKED: AlarmRule(_HIGH, off_ms=0),
    K.REJECT_RUN: AlarmRule(_HIGH, _STOP, is_latched=True),
    K.REJECT_UNCONFIRMED: AlarmRule(_HIGH, _STOP, is_latched=True, is_event=True, off_ms=60_000),
    K.BIN_FULL: AlarmRule(_MEDIUM, _STOP),
    K.BIN_DIFFERS: AlarmRule(_HIGH, _STOP, is_latched=True, is_event=True),
}

_OF_A_PICTURE = (K.CAMERA_FROZEN, K.CAMERA_DARK, K.CAMERA_BRIGHT, K.CAMERA_BLURRED, K.CAMERA_TORN, K.CAMERA_MOVED)
_OF_A_CAMERA = (K.CAMERA_LOST, *_OF_A_PICTURE, K.CAMERA_SLOW)
_OF_REVIEW = (K.REVIEW_STOP, K.REVIEW_SLOWER)
ON_ONE_THING: Mapping[AlarmKind, Collection[AlarmKind]] = {
    K.CAMERA_SILENT: (*_OF_A_CAMERA, K.CLOCK_WRONG),
    K.CAMERA_LOST: (*_OF_A_PICTURE, K.CAMERA_SLOW),
    K.CAMERA_DARK: (K.CAMERA_BLURRED,),
    K.CAMERA_TORN: (K.CAMERA_SLOW,),
}
"""What an alarm explains of the same camera."""
ON_A_LINE: Mapping[AlarmKind, Collection[AlarmKind]] = {
    K.OUTPUT_SILENT: (K.GATE_MISSING, K.GATE_LATE),
    K.GATE_DIFFERS: (K.REJECT_UNCONFIRMED, K.BIN_DIFFERS),
    K.REVIEW_STOP: (K.REVIEW_SLOWER,),
    # What diverts every part fills the queue.
    **dict.fromkeys((K.CAMERA_SILENT, K.CAMERA_LOST, *_OF_A_PICTURE, K.CLOCK_WRONG), _OF_REVIEW),
}
"""What an alarm explains anywhere on its line."""
WITH_EACH_OTHER = frozenset({*_OF_A_CAMERA, K.CAMERA_SILENT, K.CLOCK_WRONG, K.STAGE_BEHIND, K.OUTPUT_SILENT})
"""Kinds of which the first explains those that begin within `TOGETHER_MS`: a power supply, a lamp, a network."""


def explains(cause: Alarm, other: Alarm) -> bool:
    """Whether one alarm is why another stands. Never both ways, and never by one that people have put aside."""
    if cause.line_id != other.line_id or not _is_cause(cause) or cause.began_ms is None or other.began_ms is None:
        return False
    if cause.kind is other.kind:
        apart = other.began_ms - cause.began_ms
        is_first = (cause.began_ms, cause.alarm_id) < (other.began_ms, other.alarm_id)
        return cause.kind in WITH_EACH_OTHER and is_first and apart <= TOGETHER_MS
    # What follows may be seen first: a picture is dark before its camera is known to be lost.
    if cause.began_ms > other.began_ms + TOGETHER_MS:
        return False
    is_same = cause.subject == other.subject and other.kind in ON_ONE_THING.get(cause.kind, ())
    return is_same or other.kind in ON_A_LINE.get(cause.kind, ())


def _is_cause(alarm: Alarm) -> bool:
    return alarm.ended_ms is None and alarm.stage in {
        AlarmStage.UNACKNOWLEDGED,
        AlarmStage.ACKNOWLEDGED,
        AlarmStage.SUPPRESSED,
        AlarmStage.LATCHED,
    }


@dataclass(frozen=True, slots=True)
class ListedAlarm:
    """One row of the list: an alarm that somebody has to act on, and those that follow from it, the first first."""

    alarm: Alarm
    follows: tuple[Alarm, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether nobody has said to know of it."""
        return self.alarm.stage in {AlarmStage.UNACKNOWLEDGED, AlarmStage.RETURNED}


_PUT_ASIDE = frozenset({AlarmStage.SHELVED, AlarmStage.OUT_OF_SERVICE})


def current_alarms(alarms: Iterable[Alarm], now_ms: int) -> tuple[ListedAlarm, ...]:
    """The list: by priority, then what nobody has acknowledged, then the first cause first.

    A shelf that is over at `now_ms` hides nothing, also where nobody took the alarm from it; what follows from an alarm
    that is not on the list stands for itself.
    """
    standing = {one.alarm_id: one for one in alarms if is_listed(one, now_ms)}
    follows: dict[str, list[Alarm]] = {}
    for one in sorted(standing.values(), key=_first):
        root = _root(one, standing)
        if root is not one:
            follows.setdefault(root.alarm_id, []).append(one)
    under = {one.alarm_id for each in follows.values() for one in each}
    rows = [
        ListedAlarm(one, tuple(follows.get(one.alarm_id, ()))) for one in standing.values() if one.alarm_id not in under
    ]
    urgency = list(AlarmPriority)
    return tuple(sorted(rows, key=lambda row: (urgency.index(row.alarm.priority), not row.is_new, *_first(row.alarm))))


def put_aside(alarms: Iterable[Alarm], now_ms: int) -> tuple[Alarm, ...]:
    """What is shelved or out of service, what comes back first in front."""
    aside = [one for one in alarms if one.stage in _PUT_ASIDE and not is_listed(one, now_ms)]
    return tuple(sorted(aside, key=lambda one: (one.shelved_until_ms is None, one.shelved_until_ms, one.alarm_id)))


def is_listed(alarm: Alarm, now_ms: int) -> bool:
    """Whether it stands on the list; a shelf counts until its end."""
    if alarm.stage is AlarmStage.SHELVED:
        return (alarm.shelved_until_ms or 0) <= now_ms
    return alarm.stage not in {AlarmStage.NORMAL, AlarmStage.OUT_OF_SERVICE}


def demanded(alarms: Iterable[Alarm]) -> AlarmDemand | None:
    """What standing alarms ask a line for together; a stop asks for more than fewer parts.

    Whoever puts an alarm aside, or acknowledges it, has not done what it asks for: only its end takes it back.
    """
    asked = {one.demand for one in alarms if one.stage is not AlarmStage.OUT_OF_SERVICE and _asks(one)}
    return _STOP if _STOP in asked else _SLOWER if _SLOWER in asked else None


def _asks(alarm: Alarm) -> bool:
    if RULES[alarm.kind].is_latched:
        return alarm.raised_ms is not None
    return alarm.raised_ms is not None and alarm.ended_ms is None


def word_age_ms(word: LineWord | None, said_ms: int | None, now_ms: int) -> int | None:
    """How old the word of a line's process is, by when the log has it; None where there is none."""
    return None if word is None else max(0, now_ms - (word.at_ms if said_ms is None else said_ms))


def is_kept(word: LineWord | None, now_ms: int) -> bool:
    """Whether somebody keeps the list of alarms: a word that is not too old. Where not, nobody knows what they are."""
    age_ms = word_age_ms(word, None, now_ms)
    return age_ms is not None and age_ms <= WORD_STALE_MS


def _first(alarm: Alarm) -> tuple[int, str]:
    return alarm.began_ms or 0, alarm.alarm_id


def _root(alarm: Alarm, standing: Mapping[str, Alarm]) -> Alarm:
    """The first cause that is on the list; a circle, which no writer makes, ends where it began."""
    seen, at = {alarm.alarm_id}, alarm
    while at.stage is AlarmStage.SUPPRESSED and at.caused_by is not None and at.caused_by not in seen:
        if at.caused_by not in standing:
            break
        at = standing[at.caused_by]
        seen.add(at.alarm_id)
    return at if at.stage is not AlarmStage.SUPPRESSED or at is alarm else alarm
