"""A period closes what adds up, the next one begins exactly there, and nothing hides in the seam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden_audit.balance import balance
from linewarden_audit.findings import Allowance, BalanceReport
from linewarden_audit.ledger import AuditLedger
from linewarden_audit.notary.signing import make_key, read_key
from linewarden_audit.periods import Closed, close_period, digest_of, first_break, read_periods
from linewarden_audit.report.report import AuditRequest
from linewarden_audit.report.report import report as audit_report
from linewarden_history.reading import WrittenAt
from linewarden_history.selection import Selection
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import Fenced
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen, ViewResult
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import Balance, DeadLetter
from linewarden_schemas.vocabulary import Cause, Routing
from tests.support.shift import (
    AT,
    capture,
    decided,
    disposition,
    frame,
    heartbeat,
    in_flight,
    inspection,
    lost_picture,
    passed,
    recipe,
    rejected,
    slot_open,
    visit,
    waiting,
)

LINE = Namespace("line1")
HOUR = 3_600_000
SOON, LATE = AT + 5_000, AT + HOUR
TOPICS = {
    "Capture": "captures",
    "CameraHeartbeat": "captures",
    "Inspection": "inspections",
    "Disposition": "dispositions",
    "SlotOpen": "reinspections",
    "SlotClose": "reinspections",
    "Decision": "decisions",
    "Recipe": "recipes",
    "DeadLetter": "dead-letters",
}


class Line:
    """A line on the memory broker that is closed now and then."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(ManualClock(now_ms=AT))
        with self.broker.admin() as admin:
            provision_topics(admin, LINE, 2)
        self.tell(recipe())

    def tell(self, *messages: Message) -> None:
        for one in messages:
            sent = encode(one, id="x", source="/test", time_ms=AT)
            visit_id = str(getattr(one, "visit_id", "heartbeat"))
            key = str(getattr(one, "slot_id", visit_id) if isinstance(one, SlotOpen | SlotClose) else visit_id).encode()
            topic, number = LINE.topic(TOPICS[type(one).__name__]), partition_of(visit_id, 2)
            self.broker.append(OutRecord(topic, key, sent.value, sent.headers, 0 if "recipes" in topic else number))

    def close(self, now_ms: int = SOON, **more: Any) -> tuple[BalanceReport, Balance | None]:
        return close_period(self.broker, LINE, now_ms, "anna", Allowance(), **more)

    def closed(self, now_ms: int = SOON, **more: Any) -> Balance:
        report, period = self.close(now_ms, **more)
        assert period is not None, report
        return period

    @property
    def periods(self) -> list[Closed]:
        return read_periods(self.broker, LINE)


def test_a_period_begins_where_the_one_before_ended_and_carries_what_is_open() -> None:
    line = Line()
    line.tell(*passed(0), *waiting(1), *passed(2), *in_flight(3))
    first = line.closed()
    assert (first.number, first.visits, first.final, first.open_ids) == (0, 4, 2, (visit(1), visit(3)))
    line.tell(*decided(1)[-3:], *passed(3)[1:], *passed(4))
    second = line.closed(LATE)
    assert (second.number, second.visits, second.carried, second.reopened) == (1, 3, 2, 0)
    assert (second.final, second.open_ids) == (3, ())
    ended = {(one.topic, one.partition): one.to_offset for one in first.stretches}
    assert {(one.topic, one.partition): one.from_offset for one in second.stretches} == ended
    assert second.digests is not None
    assert second.digests.captured == digest_of([frame(4)])
    assert second.digests.routed == digest_of([visit(3), visit(4)])
    assert second.cameras[0].last_sequence == 4
    assert first_break(line.periods) is None
    third = line.closed(LATE)
    assert third.visits == 0
    assert [one.from_offset for one in third.stretches] == [one.to_offset for one in second.stretches]


def test_what_a_camera_gave_after_a_number_that_is_under_way_waits_with_it_and_is_read_again() -> None:
    line = Line()
    line.tell(*passed(0), *passed(2), heartbeat(3))
    first = line.closed(AT + 5_000)
    assert (first.cameras[0].last_sequence, first.open_ids) == (0, (visit(2),))
    line.tell(*passed(1), *passed(3))
    second = line.closed(LATE)
    assert (second.cameras[0].last_sequence, second.open_ids) == (3, ())
    lossy = Line()
    lossy.tell(*passed(0), *passed(2))
    lossy.closed(AT + 5_000)
    report, _ = lossy.close(LATE)
    assert report.lost == ("cam1.epoch1.seq1-1",)


def test_what_does_not_add_up_is_named_and_not_closed_until_it_is_answered_for() -> None:
    line = Line()
    late = disposition(1, Routing.DIVERTED, Cause.LATE, final=False, views=(ViewResult(view_id="top"),))
    line.tell(*passed(0), capture(1), late, slot_open(1, cause=Cause.LATE))
    report, period = line.close(LATE)
    assert (period, report.lost, line.periods) == (None, (frame(1),), [])
    source = inspection(1).source
    line.tell(DeadLetter(service="inspect", cause="x", detail="y", source=source, at_ms=AT, frame_id=frame(1)))
    assert line.closed(LATE).visits == 2


def test_a_late_view_a_revision_and_a_repeated_record_of_a_closed_visit_open_it_again() -> None:
    line = Line()
    line.tell(*passed(0), *passed(1), *passed(2))
    line.closed()
    alarm: dict[str, Any] = {"revision": 1, "final": False, "alarm": "a worse view came"}
    reopened = disposition(1, Routing.DIVERTED, Cause.LATE, **alarm)
    worse: dict[str, Any] = {"frame_id": f"{visit(0)}.side.1-3", "visit_id": visit(0), "view_id": "side"}
    line.tell(capture(3, **worse), inspection(3, p=0.9, **worse), disposition(0, Routing.REJECTED, **alarm))
    asked = slot_open(0, cause=Cause.REJECT_REVIEW, shown=((worse["frame_id"], "side"),))
    line.tell(asked, reopened, slot_open(1, cause=Cause.LATE), inspection(2), capture(2))
    second = line.closed(LATE)
    assert (second.visits, second.reopened, second.final, second.waiting) == (3, 3, 1, 2)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ([disposition(1, Routing.TRUSTED_PASS)], "doubled"),
        ([inspection(1, p=0.9)], "doubled"),
        ([capture(9, sequence=1)], "doubled"),
        ([capture(4)], "lost"),
        ([heartbeat(5)], "lost"),
        ([inspection(8)], "unknown"),
        ([disposition(8, Routing.REJECTED)], "unknown"),
    ],
    ids=["routed twice", "answered twice", "number given twice", "hole", "lost tail", "frame", "visit"],
)
def test_a_fault_that_lies_on_both_sides_of_a_seam_is_found(fault: list[Message], name: str) -> None:
    line = Line()
    line.tell(*passed(0), *passed(1), *passed(2))
    line.closed()
    line.tell(*fault)
    report, period = line.close(LATE)
    assert period is None
    assert getattr(report, name)


def test_a_late_view_that_looked_young_at_one_close_is_looked_up_at_the_next() -> None:
    line = Line()
    line.tell(*passed(0))
    line.closed()
    late: dict[str, Any] = {"frame_id": f"{visit(0)}.side.1-1", "visit_id": visit(0), "view_id": "side"}
    line.tell(capture(1, **late))
    assert line.closed().open_ids == (visit(0),)
    alarm = disposition(0, Routing.REJECTED, revision=1, final=False, alarm="a worse view came")
    line.tell(inspection(1, p=0.9, **late), alarm)
    line.tell(slot_open(0, cause=Cause.REJECT_REVIEW, shown=((late["frame_id"], "side"),)))
    assert (line.closed(LATE).reopened, len(line.periods)) == (0, 3)


def test_what_retention_took_away_before_it_was_closed_is_named() -> None:
    line = Line()
    line.tell(*waiting(0))
    line.closed()
    for position in {record.position for record in line.broker.records(LINE.topic("captures"))}:
        line.broker.log(position).delete_before(line.broker.log(position).end)
    report, period = line.close()
    assert period is None
    assert any(one.startswith("line1.captures[") and one.endswith("@0-0") for one in report.lost)


def test_a_topic_made_anew_does_not_pass_for_one_in_which_nothing_happened() -> None:
    line = Line()
    line.tell(*passed(0), *passed(1))
    line.closed()
    name = LINE.topic("captures")
    spec = line.broker.specs[name]
    line.broker.drop(name)
    line.broker.create(spec)
    line.tell(*passed(2)[:1])
    report, period = line.close(LATE)
    assert period is None
    assert [one for one in report.lost if one.startswith("line1.captures[")]


def test_what_was_closed_may_expire() -> None:
    line = Line()
    line.tell(*passed(0), *passed(1))
    line.closed()
    for name in ("captures", "inspections", "dispositions"):
        for position in {record.position for record in line.broker.records(LINE.topic(name))}:
            line.broker.log(position).delete_before(line.broker.log(position).end)
    line.tell(*passed(2))
    assert line.closed(LATE).visits == 1


def test_periods_are_chained_and_signed_and_the_first_that_does_not_follow_is_named(tmp_path: Path) -> None:
    line = Line()
    key = tmp_path / "key"
    public = make_key(key)
    for number in range(3):
        line.tell(*passed(number))
        line.closed(key=read_key(key))
    periods = line.periods
    assert first_break(periods, [public], signed=True) is None
    assert first_break(periods[:1] + periods[2:]) == "period 2: it stands where period 1 belongs"
    changed = Closed(periods[1].period.model_copy(update={"visits": 9}), "other")
    assert first_break([periods[0], changed, periods[2]], [public]) == "period 1: no trusted key signed it"
    assert first_break([periods[0], changed, periods[2]]) == "period 2: it names another record as the one before"
    moved = periods[1].period.stretches[0].model_copy(update={"from_offset": 7})
    gap = periods[1].period.model_copy(update={"stretches": (moved, *periods[1].period.stretches[1:])})
    assert "begins at 7, and the period before ended at" in str(first_break([periods[0], Closed(gap, "x")]))
    line.tell(*passed(3))
    line.closed()
    assert first_break(line.periods, [public], signed=True) == "period 3: no trusted key signed it"


def test_of_two_that_close_at_once_one_is_fenced() -> None:
    line = Line()
    line.tell(*passed(0))

    def meanwhile(name: str, _count: int) -> None:
        if name == "captures":
            line.closed()

    with pytest.raises(Fenced):
        line.close(progress=meanwhile)
    assert [one.period.number for one in line.periods] == [0]


def test_records_that_do_not_belong_stop_nobody_and_are_named() -> None:
    line = Line()
    line.tell(*passed(0))
    line.closed()
    for name in ("balances", "dispositions", "reinspections", "dead-letters", "recipes", "chain-heads"):
        line.broker.append(OutRecord(LINE.topic(name), b"x", b"?", (), 0))
    astray = encode(inspection(1), id="x", source="/test", time_ms=AT)
    line.broker.append(OutRecord(LINE.topic("dispositions"), visit(1).encode(), astray.value, astray.headers, 0))
    line.tell(*passed(1))
    report, period = line.close(LATE)
    assert period is not None, report
    assert period.number == 1
    assert {one.partition("[")[0] for one in report.strays} >= {LINE.topic("balances"), LINE.topic("dispositions")}
    assert len(report.strays) == 6, "what lies among the heads is told by audit verify"
    line.broker.append(OutRecord(LINE.topic("captures"), b"x", b"?", (), 0))
    assert line.close(LATE)[0].unknown, "of captures somebody makes a dead letter"


def test_a_period_that_does_not_follow_closes_nothing() -> None:
    line = Line()
    line.tell(*passed(0))
    first = line.closed()
    forged = first.model_copy(update={"number": 7, "stretches": (), "previous": "0" * 64})
    sent = encode(forged, id="x", source="/test", time_ms=AT)
    line.broker.append(OutRecord(LINE.topic("balances"), b"line1", sent.value, sent.headers, 0))
    line.tell(*passed(1))
    second = line.closed(LATE)
    assert (second.number, second.visits) == (1, 1)
    assert first_break(line.periods) == "period 7: it stands where period 1 belongs"


ENDS: tuple[Callable[[int], list[Message]], ...] = (passed, rejected, waiting, decided, lost_picture, in_flight)


def whole(messages: Iterable[Message], now_ms: int) -> BalanceReport:
    ledger = AuditLedger()
    for offset, message in enumerate((recipe(), *messages)):
        ledger.learn(message, WrittenAt(offset))
    return balance(ledger, now_ms)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(ENDS), min_size=1, max_size=8), st.data())
def test_wherever_a_shift_is_cut_its_periods_say_what_the_whole_says(
    ends: list[Callable[[int], list[Message]]], data: st.DataObject
) -> None:
    told = [message for number, end in enumerate(ends) for message in end(number)]
    counted = [one for one in told if isinstance(one, Inspection | Disposition)]
    dropped = data.draw(st.sampled_from([None, *counted]))
    kept = [one for one in told if one is not dropped]
    cuts = data.draw(st.lists(st.integers(0, len(kept)), max_size=3))
    line = Line()
    before = 0
    new = 0
    for cut in [*sorted(cuts), len(kept)]:
        line.tell(*kept[before:cut])
        before = cut
        _, period = line.close(SOON)
        new += 0 if period is None else period.visits - period.carried - period.reopened
    assert dropped is not None or new == len(ends), "every visit is new in exactly one period"
    report, period = line.close(LATE)
    expected = whole(kept, LATE)
    assert (period is not None) == expected.closes
    for name in ("lost", "doubled", "unknown", "unsafe", "unsound"):
        assert getattr(report, name) == getattr(expected, name)


def test_a_report_sees_a_hole_before_the_first_number_of_its_range_since_the_last_period() -> None:
    line = Line()
    line.tell(*passed(0), *passed(1))
    line.closed(AT + 1)
    line.tell(*passed(2), *passed(4))

    def lost(from_ms: int) -> list[str]:
        stretch = Selection(from_ms, AT + HOUR)
        document = audit_report(line.broker, LINE, AuditRequest(stretch, AT + HOUR))
        return [one for one in document["balance"]["lost"]["named"] if "seq" in one]

    assert lost(AT + 4) == ["line1.st1.cam1.epoch1.seq3-3"]
    assert lost(AT + 2) == ["line1.st1.cam1.epoch1.seq3-3"]
    line.tell(
        *passed(6),
        *passed(5),
    )
    assert lost(AT + 5) == [], "the hole lies before a number that is not in the range"
