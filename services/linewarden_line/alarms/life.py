"""The life of one alarm: pure steps from what it was to what it is, after ISA-18.2 and IEC 62682.

normal --condition holds--> unacknowledged --person--> acknowledged --condition over--> normal
unacknowledged --condition over--> returned --person--> normal
acknowledged, latched --condition over--> latched --person resets--> normal

Beside that one that is shelved, out of service or explained by another one goes on living and asks nobody to act; what
comes back from there stands where its life is by then.
"""

from __future__ import annotations

from typing import Any

from linewarden_domain.alarms import RULES
from linewarden_domain.words import Said
from linewarden_schemas.alarm import Alarm, alarm_id
from linewarden_schemas.alarm_vocabulary import AlarmKind, AlarmStage

_OVER: dict[str, Any] = {
    "repeats": 0,
    "is_chattering": False,
    "detail": None,
    "reason": None,
    "began_ms": None,
    "raised_ms": None,
    "ended_ms": None,
    "acknowledged_ms": None,
    "acknowledged_by": None,
    "caused_by": None,
    "demand": None,
    "is_simulated": False,
}
"""What an alarm that is normal has no more of."""


def normal(line_id: str, kind: AlarmKind, subject: str | None) -> Alarm:
    """An alarm that was never raised. Raises InvalidId where its id would be none."""
    return Alarm(
        alarm_id=alarm_id(line_id, kind, subject),
        line_id=line_id,
        kind=kind,
        subject=subject,
        priority=RULES[kind].priority,
        stage=AlarmStage.NORMAL,
    )


def lives(alarm: Alarm) -> bool:
    """Whether it was raised, and neither its condition nor what people have to say of it is done."""
    return alarm.raised_ms is not None


def is_active(alarm: Alarm) -> bool:
    """Whether its condition holds, as far as it counts."""
    return lives(alarm) and alarm.ended_ms is None


def raised(
    alarm: Alarm, began_ms: int, now_ms: int, said: Said | None, *, is_chattering: bool, simulated: bool
) -> Alarm:
    """A new life of it, which somebody has to acknowledge."""
    return _staged(
        alarm,
        **_OVER
        | {
            "occurrence": alarm.occurrence + 1,
            "priority": RULES[alarm.kind].priority,
            "demand": RULES[alarm.kind].demand,
            "began_ms": began_ms,
            "raised_ms": now_ms,
            "is_chattering": is_chattering,
            "is_simulated": simulated,
        }
        | _words(said),
    )


def repeated(alarm: Alarm, said: Said | None, times: int = 1) -> Alarm:
    """Its condition came again within this life; who has acknowledged it need not do so again."""
    return _staged(alarm, ended_ms=None, repeats=alarm.repeats + times, **_words(said))


def returned(alarm: Alarm, at_ms: int) -> Alarm:
    """The alarm with its condition over since then."""
    return _staged(alarm, ended_ms=at_ms)


def acknowledged(alarm: Alarm, actor: str, now_ms: int) -> Alarm:
    """The alarm with who said to know of it."""
    return _staged(alarm, acknowledged_ms=now_ms, acknowledged_by=actor)


def reset(alarm: Alarm) -> Alarm:
    """Its life is over, whatever its condition; if that still holds, it is raised anew."""
    return _staged(alarm, **_OVER)


def shelved(alarm: Alarm, actor: str, until_ms: int) -> Alarm:
    """Put aside until a stated time."""
    return _staged(alarm, shelved_until_ms=until_ms, shelved_by=actor)


def unshelved(alarm: Alarm) -> Alarm:
    """Back on the list, where it lives."""
    return _staged(alarm, shelved_until_ms=None, shelved_by=None)


def removed(alarm: Alarm, actor: str) -> Alarm:
    """The alarm out of service, by whom."""
    return _staged(alarm, removed_by=actor)


def restored(alarm: Alarm) -> Alarm:
    """The alarm back in service again."""
    return _staged(alarm, removed_by=None)


def explained(alarm: Alarm, cause: str | None) -> Alarm:
    """Under another alarm, or for itself again."""
    return _staged(alarm, caused_by=cause)


def stage_of(alarm: Alarm) -> AlarmStage:
    """Where it is in its life; NORMAL for one whose life is over by what is said of it."""
    if alarm.removed_by is not None:
        return AlarmStage.OUT_OF_SERVICE
    if alarm.shelved_until_ms is not None:
        return AlarmStage.SHELVED
    if _is_over(alarm):
        return AlarmStage.NORMAL
    if alarm.caused_by is not None:
        return AlarmStage.SUPPRESSED
    if alarm.ended_ms is None:
        return AlarmStage.UNACKNOWLEDGED if alarm.acknowledged_ms is None else AlarmStage.ACKNOWLEDGED
    return AlarmStage.RETURNED if alarm.acknowledged_ms is None else AlarmStage.LATCHED


def _is_over(alarm: Alarm) -> bool:
    if not lives(alarm):
        return True
    if alarm.ended_ms is None or RULES[alarm.kind].is_latched:
        return False
    # What another alarm explained needs no word of its own.
    return alarm.acknowledged_ms is not None or alarm.caused_by is not None


def _staged(alarm: Alarm, **changes: Any) -> Alarm:  # noqa: ANN401 - fields of the message
    changed = alarm.model_copy(update=changes)
    if _is_over(changed):
        changed = changed.model_copy(update=_OVER)
    return changed.model_copy(update={"stage": stage_of(changed)})


def _words(said: Said | None) -> dict[str, Any]:
    return {} if said is None else {"detail": said.sentence, "reason": said.reason}
