"""Complete, plausible samples of what is said of alarms."""

from __future__ import annotations

from linewarden_schemas.alarm import (
    Alarm,
    AlarmEvent,
    AlarmLoad,
    AlarmRequest,
    AlarmTallies,
    BinTally,
    CameraHeard,
    LineWord,
    ReadMark,
    RejectTally,
    alarm_id,
)
from linewarden_schemas.alarm_vocabulary import AlarmDemand, AlarmDoing, AlarmKind, AlarmPriority, AlarmStage, AlarmStep
from linewarden_schemas.base import Message
from linewarden_schemas.reason import Reason
from linewarden_schemas.sample_recipe import AT

_ALARM = Alarm(
    alarm_id=alarm_id("line1", AlarmKind.REJECT_RUN, "cavity-3"),
    line_id="line1",
    kind=AlarmKind.REJECT_RUN,
    subject="cavity-3",
    priority=AlarmPriority.HIGH,
    stage=AlarmStage.SHELVED,
    occurrence=4,
    repeats=2,
    is_chattering=False,
    demand=AlarmDemand.STOP,
    detail="5 rejects in a row",
    reason=Reason(code="alarm_rejects_in_a_row", parameters={"count": 5}),
    began_ms=AT,
    raised_ms=AT,
    ended_ms=AT + 90_000,
    acknowledged_ms=AT + 30_000,
    acknowledged_by="lead-02",
    shelved_until_ms=AT + 3_600_000,
    shelved_by="lead-02",
    removed_by=None,
    caused_by=alarm_id("line1", AlarmKind.CAMERA_DARK, "cam1"),
    is_simulated=True,
)

ALARM_SAMPLES: tuple[Message, ...] = (
    _ALARM,
    LineWord(
        line_id="line1",
        epoch=3,
        since_ms=AT,
        at_ms=AT + 60_000,
        instance="plant-pc1-4712",
        read=(ReadMark(topic="line1.alarm-events", next_offsets=(812,)),),
        load=AlarmLoad(
            unacknowledged=2,
            high=1,
            active=3,
            shelved=1,
            suppressed=4,
            raised=6,
            is_flood=False,
            demand=AlarmDemand.STOP,
        ),
        tallies=AlarmTallies(
            cameras=(CameraHeard(camera_id="cam1", at_ms=AT + 58_000),),
            bins=(BinTally(bin_id="rejected", parts=12),),
            rejects=(RejectTally(subject="cavity-3", outcomes="00111"),),
        ),
    ),
    AlarmRequest(
        request_id="lead-02.1764000000000.1",
        alarm_id=_ALARM.alarm_id,
        line_id="line1",
        doing=AlarmDoing.SHELVE,
        actor="lead-02",
        at_ms=AT,
        occurrence=4,
        until_ms=AT + 3_600_000,
        comment="mould is changed at noon",
    ),
    AlarmEvent(
        step=AlarmStep.SHELVED,
        alarm=_ALARM,
        at_ms=AT,
        actor="lead-02",
        request_id="lead-02.1764000000000.1",
        comment="mould is changed at noon",
    ),
)
