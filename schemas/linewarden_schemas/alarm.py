"""Alarms of a line, what people do with them, and the word of the process that keeps them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import StringConstraints, model_validator

from linewarden_schemas.alarm_vocabulary import AlarmDemand, AlarmDoing, AlarmKind, AlarmPriority, AlarmStage, AlarmStep
from linewarden_schemas.base import Actor, Count, EpochMs, Id, Message, MessagePart, Text
from linewarden_schemas.ids import check_id
from linewarden_schemas.reason import Reason


def alarm_id(line_id: str, kind: AlarmKind, subject: str | None = None) -> str:
    """The id of an alarm: one for each line, kind and thing that it is about, so their number is bounded.

    Raises:
        InvalidId: where it is none, e.g. too long.
    """
    return check_id(".".join((line_id, kind.value, *(() if subject is None else (subject,)))))


class Alarm(Message):
    """One alarm as it stands; the newest record of its id counts.

    `subject` is what it is about (camera, stage, output, cavity, bin), absent where that is the line. `occurrence`
    counts its lives, `repeats` how often its condition came again within this one. `began_ms` is when the condition was
    seen first, `raised_ms` when it had held for its delay. `ended_ms` is absent while the condition holds. `caused_by`
    is the alarm that explains it while that one stands. `reason` is `detail` as data. Times are of the process that
    keeps the list.
    """

    TYPE: ClassVar[str] = "linewarden.alarm.v1"

    alarm_id: Id
    line_id: Id
    kind: AlarmKind
    subject: Id | None = None
    priority: AlarmPriority
    stage: AlarmStage
    occurrence: Count = 0
    repeats: Count = 0
    is_chattering: bool = False
    demand: AlarmDemand | None = None
    detail: Text | None = None
    reason: Reason | None = None
    began_ms: EpochMs | None = None
    raised_ms: EpochMs | None = None
    ended_ms: EpochMs | None = None
    acknowledged_ms: EpochMs | None = None
    acknowledged_by: Actor | None = None
    shelved_until_ms: EpochMs | None = None
    shelved_by: Actor | None = None
    removed_by: Actor | None = None
    caused_by: Id | None = None
    is_simulated: bool = False


class AlarmRequest(Message):
    """What a person wants done with an alarm; the process of its line does it, or says why not.

    `occurrence` is the life of it that was seen, so that nobody acknowledges what came afterwards. `until_ms` is the
    end of a shelf, `count` how many parts lay in a bin.
    """

    TYPE: ClassVar[str] = "linewarden.alarm-request.v1"

    request_id: Id
    alarm_id: Id
    line_id: Id
    doing: AlarmDoing
    actor: Actor
    at_ms: EpochMs
    occurrence: Count | None = None
    until_ms: EpochMs | None = None
    count: Count | None = None
    comment: Text | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.doing is AlarmDoing.SHELVE) != (self.until_ms is not None):
            raise ValueError("a shelf has an end, and nothing else has")
        if (self.doing is AlarmDoing.COUNT) != (self.count is not None):
            raise ValueError("who empties a bin says how many parts lay in it, and nobody else does")
        return self


class AlarmEvent(Message):
    """One step in the life of an alarm, for the history; `alarm` is how it stood afterwards.

    `actor` and `request_id` are of the person who asked for it, absent where nobody did. `comment` is theirs, or says
    why it was refused.
    """

    TYPE: ClassVar[str] = "linewarden.alarm-event.v1"

    step: AlarmStep
    alarm: Alarm
    at_ms: EpochMs
    actor: Actor | None = None
    request_id: Id | None = None
    comment: Text | None = None


class ReadMark(MessagePart):
    """How far a topic is handled: by partition the first offset that is not."""

    topic: Id
    next_offsets: tuple[Count, ...]


class AlarmLoad(MessagePart):
    """How the list of alarms stands; `high` are the unacknowledged ones of the highest priority.

    `raised` counts those of the last ten minutes that somebody had to act on. `demand` is what all of them ask for.
    """

    unacknowledged: Count = 0
    high: Count = 0
    active: Count = 0
    shelved: Count = 0
    suppressed: Count = 0
    raised: Count = 0
    is_flood: bool = False
    demand: AlarmDemand | None = None


class CameraHeard(MessagePart):
    """When something was heard of a camera last, and how many of its pictures in a row do not show their part."""

    camera_id: Id
    at_ms: EpochMs
    unplaced: Count = 0


class BinTally(MessagePart):
    """How many parts were sent into a bin since it was emptied."""

    bin_id: Id
    parts: Count


class RejectTally(MessagePart):
    """How the last visits went, the newest last: 1 for a reject. `subject` is a cavity or nest, absent for the line."""

    subject: Id | None = None
    outcomes: Annotated[str, StringConstraints(pattern=r"^[01]{0,1000}$")] = ""


class AlarmTallies(MessagePart):
    """What is counted for alarms, so that a process that takes the line over goes on counting."""

    cameras: tuple[CameraHeard, ...] = ()
    bins: tuple[BinTally, ...] = ()
    rejects: tuple[RejectTally, ...] = ()


class LineWord(Message):
    """Who keeps a line's alarms and state, said again every few seconds: once it is old, what it says counts no more.

    Each process that takes the line over raises `epoch`. `read` and `tallies` let the next one go on where it stood.
    """

    TYPE: ClassVar[str] = "linewarden.line-word.v1"

    line_id: Id
    epoch: Count
    since_ms: EpochMs
    at_ms: EpochMs
    instance: Id
    read: tuple[ReadMark, ...] = ()
    load: AlarmLoad | None = None
    tallies: AlarmTallies | None = None
