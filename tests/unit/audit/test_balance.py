"""The balance closes exactly where every id is accounted for, in whatever order the records come."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewarden_audit.balance import balance
from linewarden_audit.findings import Allowance, BalanceReport
from linewarden_audit.ledger import AuditLedger
from linewarden_history.reading import WrittenAt
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition, SlotOpen, ViewResult
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Cause, Loss, Routing, Undecidable, Verdict
from tests.support.shift import (
    AT,
    BUDGET,
    capture,
    decided,
    decision,
    disposition,
    frame,
    heartbeat,
    in_flight,
    inspection,
    lost_picture,
    passed,
    recipe,
    rejected,
    slot_close,
    slot_open,
    told,
    visit,
    waiting,
)

NOW = AT + 5_000
LONG_AFTER = AT + 3_600_000
ENDS: tuple[Callable[[int], list[Message]], ...] = (passed, rejected, waiting, decided, lost_picture, in_flight)


def of(messages: Iterable[Message], now_ms: int = NOW, order: random.Random | None = None) -> BalanceReport:
    """The balance of messages in the order of their offsets, learnt in another order where one is given."""
    written = [(message, WrittenAt(offset)) for offset, message in enumerate((recipe(), *messages))]
    if order is not None:
        order.shuffle(written)
    ledger = AuditLedger()
    for message, at in written:
        ledger.learn(message, at)
    return balance(ledger, now_ms)


@given(st.lists(st.sampled_from(ENDS), max_size=25), st.randoms(use_true_random=False))
def test_a_whole_shift_closes_in_any_order_of_topics(
    ends: list[Callable[[int], list[Message]]], order: random.Random
) -> None:
    shift = [message for number, end in enumerate(ends) for message in end(number)]
    shift.append(heartbeat(len(ends) - 1))
    report = of(shift, order=order)
    assert report.closes, report
    assert (report.visits, report.frames) == (len(ends), len(ends))
    assert report.final + report.waiting + report.in_flight == len(ends)
    assert report.waiting == ends.count(waiting) + ends.count(lost_picture)
    assert report.in_flight == ends.count(in_flight)


@given(st.lists(st.sampled_from((passed, rejected, decided)), min_size=2, max_size=12), st.data())
def test_any_record_taken_away_or_routed_again_opens_the_balance(
    ends: list[Callable[[int], list[Message]]], data: st.DataObject
) -> None:
    shift = [message for number, end in enumerate(ends) for message in end(number)]
    counted = [m for m in shift if isinstance(m, Inspection | Disposition)]
    shift.append(heartbeat(len(ends) - 1))
    assert of(shift, LONG_AFTER).closes
    victim = data.draw(st.sampled_from(counted))
    assert not of([m for m in shift if m is not victim], LONG_AFTER).closes
    if isinstance(victim, Disposition) and victim.revision == 0:
        assert of([*shift, victim], LONG_AFTER).doubled == (victim.visit_id,)


@given(st.integers(2, 40), st.data())
def test_a_capture_that_never_arrived_is_a_gap_in_the_cameras_sequence(count: int, data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, count - 1))
    shift = [m for number in range(count) if number != gone for m in passed(number)]
    assert of([*shift, heartbeat(count - 1)]).lost == (f"cam1.epoch1.seq{gone}-{gone}",)


def test_the_heartbeat_shows_a_lost_tail() -> None:
    report = of([*passed(0), heartbeat(4)])
    assert report.lost == ("cam1.epoch1.seq1-4",)


def at_times(*told: tuple[Message, int]) -> BalanceReport:
    """The balance of messages, each written so long (ms) before now."""
    ledger = AuditLedger()
    for offset, (message, ago_ms) in enumerate(((recipe(), 0), *told)):
        ledger.learn(message, WrittenAt(offset, NOW - ago_ms))
    return balance(ledger, NOW)


def test_a_number_is_lost_only_when_what_shows_that_it_is_missing_is_old() -> None:
    young, old = 1_000, Allowance().margin_ms + 1
    first, second, fourth = ([(one, at) for one in passed(n)] for n, at in ((0, old), (1, young), (3, young)))
    lost = ("cam1.epoch1.seq2-2",)
    assert at_times(*first, (heartbeat(0), old), (heartbeat(4), young)).lost == ()
    assert at_times(*first, (heartbeat(2), old), (heartbeat(4), young)).lost == ("cam1.epoch1.seq1-2",)
    assert at_times(*first, *second, (heartbeat(2), old)).lost == (), "a backlog that is being published"
    assert at_times(*first, *second, *fourth).lost == ()
    assert at_times(*first, *second, *fourth).open_ids == (visit(3),), "its capture is read again with what is to come"
    assert at_times(*first, *second, *((one, old) for one, _ in fourth)).lost == lost


def test_a_camera_that_only_ever_beat_has_lost_everything() -> None:
    assert of([heartbeat(2)]).lost == ("cam1.epoch1.seq0-2",)
    assert of([heartbeat(-1)]).closes


def test_a_visit_past_its_deadline_without_routing_is_lost() -> None:
    assert of([capture(0), inspection(0)], AT + BUDGET).closes
    assert of([capture(0), inspection(0)], LONG_AFTER).lost == (visit(0),)


def test_a_diverted_visit_that_nobody_will_decide_is_lost() -> None:
    stranded = [one for one in waiting(0) if not isinstance(one, SlotOpen)]
    assert of(stranded).lost == (visit(0),)


def test_a_decided_visit_is_pending_through_the_undo_window_and_no_longer() -> None:
    shift = [*waiting(0), decision(0), slot_close(0, NOW - 1_000)]
    assert of(shift, NOW).waiting == 1
    assert of(shift, LONG_AFTER).lost == (visit(0),)


def test_the_same_answer_twice_is_a_duplicate_and_another_answer_is_doubled() -> None:
    again = inspection(0, inspected_ms=AT + 900)
    assert of([*passed(0), again]).closes
    assert of([*passed(0), again]).duplicates == 1
    assert of([*passed(0), inspection(0, p=0.9)]).doubled == (frame(0),)


def test_a_frame_sent_again_may_be_late_the_second_time() -> None:
    assert of([*passed(0), inspection(0, undecidable=Undecidable.LATE)]).closes


def test_one_sequence_for_two_frames_is_doubled() -> None:
    other = capture(0, frame_id="other", visit_id=visit(1))
    assert set(of([*passed(0), other]).doubled) == {frame(0), "other"}


def test_what_no_capture_announced_is_unknown() -> None:
    report = of([*passed(0), inspection(7), disposition(7, Routing.REJECTED)])
    assert set(report.unknown) == {frame(7), visit(7)}


def test_a_dead_letter_counts_a_frame_that_has_no_inspection() -> None:
    late = disposition(0, Routing.DIVERTED, Cause.LATE, final=False, views=(ViewResult(view_id="top"),))
    shift: list[Message] = [capture(0), late, slot_open(0, cause=Cause.LATE)]
    letter = DeadLetter(
        service="inspect",
        cause="bad_metadata",
        detail="no headers",
        source=SourceRef(topic="line1.frames", partition=0, offset=0),
        at_ms=AT,
        key=visit(0).encode(),
    )
    assert of(shift, LONG_AFTER).lost == (frame(0),)
    assert of([*shift, letter], LONG_AFTER).closes


@pytest.mark.parametrize(
    "shift",
    [
        [capture(0), inspection(0, suspicion=0.6), disposition(0, Routing.TRUSTED_PASS)],
        [capture(0), inspection(0, p=0.9), disposition(0, Routing.TRUSTED_PASS)],
        [capture(0), inspection(0, undecidable=Undecidable.UNREADABLE), disposition(0, Routing.TRUSTED_PASS)],
        [capture(0), disposition(0, Routing.TRUSTED_PASS)],
        [capture(0, lost=Loss.OVERSIZE), disposition(0, Routing.TRUSTED_PASS)],
        [capture(0), inspection(0), disposition(0, Routing.TRUSTED_PASS, views=())],
        [
            capture(0),
            inspection(0),
            disposition(
                0,
                Routing.TRUSTED_PASS,
                views=(ViewResult(view_id="top", frame_id=frame(0), verdict=Verdict.OK), ViewResult(view_id="side")),
            ),
        ],
        [capture(0), inspection(0), disposition(0, Routing.TRUSTED_PASS, decided_ms=AT + BUDGET)],
    ],
    ids=["doubtful", "ng", "undecidable", "not-inspected", "picture-lost", "no-views", "view-missing", "too-late"],
)
def test_a_pass_that_must_not_have_been_is_unsafe(shift: list[Message]) -> None:
    report = of(shift)
    assert report.unsafe == (visit(0),)
    assert not report.closes


def test_a_worse_view_after_the_routing_needs_a_revision() -> None:
    other: dict[str, Any] = {"frame_id": "late-view", "view_id": "side"}
    shift = [*passed(0), capture(0, sequence=1, **other), inspection(0, p=0.9, inspected_ms=NOW, **other)]
    assert of(shift).unsafe == (visit(0),)
    alarm = disposition(0, Routing.REJECTED, revision=1, final=False, alarm="a worse view came")
    asked = slot_open(0, cause=Cause.REJECT_REVIEW, shown=(("late-view", "side"),))
    assert of([*shift, alarm, asked]).closes


def test_a_defect_that_is_answered_after_a_late_visit_was_diverted_is_no_fault_of_its_routing() -> None:
    unknown = (ViewResult(view_id="top", frame_id=frame(0)),)
    late = disposition(0, Routing.DIVERTED, Cause.LATE, final=False, views=unknown)
    found = inspection(0, p=0.9)
    alarm = disposition(
        0, Routing.REJECTED, Cause.LATE, revision=1, final=False, views=(told(found),), alarm="a worse view came"
    )
    assert of([capture(0), late, slot_open(0, cause=Cause.LATE), found, alarm]).closes
    seen = disposition(0, Routing.DIVERTED, Cause.LATE, final=False, views=(told(found),))
    assert not of([capture(0), found, seen, slot_open(0)]).closes


def test_a_record_that_nobody_can_read_opens_the_balance_until_its_dead_letter_is_there() -> None:
    ledger = AuditLedger()
    ledger.unreadable.add("line1.captures[3]@17")
    assert balance(ledger, NOW).unknown == ("line1.captures[3]@17",)
    source = SourceRef(topic="line1.captures", partition=3, offset=17)
    ledger.learn(DeadLetter(service="route", cause="envelope", detail="not ours", source=source, at_ms=NOW))
    assert balance(ledger, NOW).closes
