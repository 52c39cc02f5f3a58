"""No clock of a camera is believed: the broker's append time bounds every deadline, and every trigger has a visit."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_route.events import CaptureSeen, Context, Dead, Event, InspectionSeen, TimerDue
from linewarden_route.visit import next_due_ms, step
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Cause, Routing, Verdict
from tests.unit.route.builders import SECRET, T0, context, dispositions, make_capture, make_inspection, make_recipe, the

AT = SourceRef(topic="line1.inspections", partition=0, offset=2)
HOUR, DAY = 3_600_000, 86_400_000
BUDGET = 10_000
WRONG = [HOUR, 30 * DAY, -2 * DAY, -T0]
"""By how much a camera's clock is ahead (ms); the last one stands at 1970."""


def captured_by(wrong_ms: int, view: str = "top", append_ms: int = T0, **more: Any) -> CaptureSeen:
    return CaptureSeen(make_capture(view, at_ms=append_ms + wrong_ms, **more), append_ms)


def inspected_by(wrong_ms: int, view: str = "top", append_ms: int = T0, **more: Any) -> InspectionSeen:
    return InspectionSeen(make_inspection(view, at_ms=append_ms + wrong_ms, **more), AT, append_ms)


def live(*events: Event, now_ms: int = T0) -> tuple[VisitSnapshot, list[Disposition]]:
    """Events at one time, then the visit's own timers until it is routed."""
    visit: VisitSnapshot | None = None
    routed: list[Disposition] = []
    for event in events:
        after = step(visit, event, context(now_ms))
        visit, routed = after.visit, routed + dispositions(after)
    while not routed:
        due_ms = next_due_ms(the(visit))
        assert due_ms is not None
        now_ms = max(now_ms, due_ms)
        after = step(visit, TimerDue(), context(now_ms))
        visit, routed = after.visit, routed + dispositions(after)
    return the(visit), routed


@pytest.mark.parametrize("wrong_ms", WRONG)
def test_a_whole_visit_of_a_camera_with_a_wrong_clock_diverts(wrong_ms: int) -> None:
    events = [maker(wrong_ms, view) for view in ("top", "side") for maker in (captured_by, inspected_by)]
    _, (routed,) = live(*events)
    assert routed.routing is Routing.DIVERTED
    assert Cause.LATE in routed.causes
    assert routed.decided_ms <= T0 + BUDGET


@pytest.mark.parametrize("wrong_ms", WRONG)
@pytest.mark.parametrize("first", [captured_by, inspected_by])
def test_a_visit_with_a_missing_view_diverts_within_the_budget_of_its_first_record(wrong_ms: int, first: Any) -> None:
    visit, (routed,) = live(first(wrong_ms))
    assert routed.routing is Routing.DIVERTED
    assert routed.decided_ms <= T0 + BUDGET
    assert visit.first_append_ms == T0
    assert visit.decide_by_ms <= T0 + BUDGET


def test_the_earliest_record_of_a_visit_bounds_its_deadline_in_whatever_order_they_are_read() -> None:
    late = captured_by(HOUR, append_ms=T0 + 3_000)
    visit, _ = live(late, inspected_by(HOUR, append_ms=T0), now_ms=T0 + 3_000)
    assert visit.decide_by_ms == T0 + BUDGET


def test_a_right_clock_names_the_deadline_itself() -> None:
    visit, _ = live(captured_by(-400))
    assert visit.decide_by_ms == T0 - 400 + BUDGET


@pytest.mark.parametrize(("wrong_ms", "passes"), [(5_000, True), (5_001, False), (-5_000, True), (-5_001, False)])
def test_a_capture_further_from_its_append_time_than_the_skew_is_out_of_time(wrong_ms: int, passes: bool) -> None:
    events = [maker(wrong_ms, view) for view in ("top", "side") for maker in (captured_by, inspected_by)]
    _, (routed,) = live(*events)
    assert (routed.routing is Routing.TRUSTED_PASS) is passes


def test_a_visit_is_remembered_by_the_brokers_time_however_far_ahead_its_camera_is() -> None:
    wrong = 30 * DAY
    ng = [inspected_by(wrong, view, verdict=Verdict.NG) for view in ("top", "side")]
    visit, (routed,) = live(captured_by(wrong), captured_by(wrong, "side"), *ng)
    assert routed.routing is Routing.REJECTED
    assert visit.forget_at_ms is not None
    assert visit.forget_at_ms <= T0 + BUDGET + DAY


def test_what_a_spool_with_a_checked_clock_kept_for_longer_than_its_horizon_begins_no_visit() -> None:
    for event in (captured_by(-DAY, clock_checked=True), inspected_by(-DAY, clock_checked=True)):
        after = step(None, event, context(T0))
        assert after.visit is None
        assert isinstance(after.effects[0], Dead)


def test_an_unchecked_clock_costs_no_trigger_its_visit() -> None:
    for event in (captured_by(-2 * DAY), inspected_by(-2 * DAY)):
        assert step(None, event, context(T0)).visit is not None


def test_a_number_whose_visit_was_forgotten_begins_no_second_one_whatever_an_unchecked_clock_says() -> None:
    known = Context(T0, make_recipe(), SECRET, was_forgotten=True)
    for event in (captured_by(-2 * DAY), inspected_by(-2 * DAY), captured_by(30 * DAY)):
        after = step(None, event, known)
        assert after.visit is None
        assert isinstance(after.effects[0], Dead)
    assert step(None, captured_by(-5_000), known).visit is not None, "in time it is no old record"


def test_records_read_again_long_after_their_visit_was_forgotten_begin_none() -> None:
    for event in (captured_by(0, append_ms=T0 - DAY), inspected_by(0, append_ms=T0 - DAY)):
        assert step(None, event, context(T0)).visit is None


def test_records_that_waited_while_no_route_ran_still_have_their_visits() -> None:
    waited = Context(T0 + 3 * DAY, make_recipe(), SECRET, routed_until_ms=T0 - 1)
    after = step(None, captured_by(0), waited)
    assert the(after.visit).routing is Routing.DIVERTED
