import dataclasses
from itertools import permutations
from typing import Any

import pytest

from linewarden_route import visit as machine
from linewarden_route.events import Event, TimerDue
from linewarden_route.policy import coin, rule_first, time_budget
from linewarden_schemas.capture import Returned
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.recipe import LEAST_HORIZON_MS, Recipe, Thresholds
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Cause, Loss, Routing, Undecidable, Verdict
from tests.unit.route.builders import SECRET, T0, captured, context, dispositions, inspected, make_recipe


def route(*events: Event, recipe: Recipe | None = None, now_ms: int = T0, known: bool = True) -> Disposition:
    """Revision 0 after these events, or else after decide-by."""
    now = context(now_ms, recipe, known=known)
    visit: VisitSnapshot | None = None
    found: list[Disposition] = []
    for event in events:
        step = machine.step(visit, event, now)
        visit, found = step.visit, found + dispositions(step)
    if not found and visit is not None:
        late = dataclasses.replace(now, now_ms=visit.decide_by_ms)
        found = dispositions(machine.step(visit, TimerDue(), late))
    assert len(found) == 1
    return found[0]


def whole(**side: Any) -> tuple[Event, ...]:
    return captured("top"), captured("side"), inspected("top"), inspected("side", **side)


def test_two_believed_views_in_time_pass() -> None:
    routed = route(*whole())
    assert (routed.routing, routed.causes, routed.final) == (Routing.TRUSTED_PASS, (), True)


@pytest.mark.parametrize(
    ("side", "routing", "cause"),
    [
        ({"verdict": Verdict.NG}, Routing.REJECTED, None),
        ({"suspicion": 0.4}, Routing.DIVERTED, Cause.LOW_TRUST),
        ({"verdict": Verdict.NOT_DECIDABLE}, Routing.DIVERTED, Cause.NOT_DECIDABLE),
        ({"verdict": Verdict.NOT_DECIDABLE, "undecidable": Undecidable.LATE}, Routing.DIVERTED, Cause.LATE),
        ({"frame_sha256": "0" * 64}, Routing.DIVERTED, Cause.FAULT),
        ({"is_simulated": True}, Routing.DIVERTED, Cause.FAULT),
    ],
)
def test_the_worst_view_decides(side: dict[str, Any], routing: Routing, cause: Cause | None) -> None:
    routed = route(*whole(**side))
    assert routed.routing is routing
    assert routed.causes == (() if cause is None else (cause,))
    assert routed.reasons


def test_a_reject_outweighs_a_doubt() -> None:
    events: list[Event] = [
        captured("top"),
        captured("side"),
        inspected("top", suspicion=0.9),
        inspected("side", verdict=Verdict.NG),
    ]
    assert {route(*order).routing for order in permutations(events)} == {Routing.REJECTED}


@pytest.mark.parametrize("gone", range(4))
def test_whatever_is_missing_at_decide_by_diverts_as_late(gone: int) -> None:
    events = [event for number, event in enumerate(whole()) if number != gone]
    routed = route(*events)
    assert (routed.routing, routed.causes) == (Routing.DIVERTED, (Cause.LATE,))


def test_a_lost_picture_diverts_as_a_fault_without_waiting_for_an_inspection() -> None:
    routed = route(captured("top"), inspected("top"), captured("side", lost=Loss.DROPPED_OLDEST))
    assert (routed.routing, routed.causes, routed.decided_ms) == (Routing.DIVERTED, (Cause.FAULT,), T0)


def test_a_view_that_the_recipe_does_not_know_diverts() -> None:
    events = (captured("back"), inspected("back"), *whole())
    assert route(*events).causes == (Cause.FAULT,)


def test_a_second_frame_of_a_view_is_judged_too() -> None:
    again = "v1.top.again"
    events = (captured("top", frame_id=again), inspected("top", verdict=Verdict.NG, frame_id=again), *whole())
    assert route(*events).routing is Routing.REJECTED


def test_an_unknown_recipe_diverts_at_decide_by() -> None:
    routed = route(*whole(), known=False)
    assert (routed.routing, routed.causes) == (Routing.DIVERTED, (Cause.FAULT,))


def test_the_stricter_threshold_of_the_recipe_counts() -> None:
    strict = make_recipe().model_copy(update={"thresholds": inspected().inspection.thresholds})
    assert strict.thresholds is not None
    strict = strict.model_copy(update={"thresholds": strict.thresholds.model_copy(update={"suspicion": 0.05})})
    assert route(*whole(), recipe=strict).causes == (Cause.FAULT, Cause.LOW_TRUST)


@pytest.mark.parametrize(("suspicion", "causes"), [(0.4, (Cause.FAULT, Cause.LOW_TRUST)), (0.399, (Cause.FAULT,))])
def test_a_suspicion_exactly_at_the_recipes_limit_is_not_believed(suspicion: float, causes: tuple[Cause, ...]) -> None:
    strict = make_recipe(thresholds=Thresholds(defect=0.5, suspicion=0.4))
    lax = {"suspicion": suspicion, "thresholds": Thresholds(defect=0.5, suspicion=0.9)}
    assert route(*whole(**lax), recipe=strict).causes == causes


def test_reasons_name_the_score_that_they_rest_on() -> None:
    assert "view side: defect (p 0.900)" in route(*whole(verdict=Verdict.NG)).reasons
    assert "view side: suspicion 0.700" in route(*whole(suspicion=0.7)).reasons


def test_a_visit_is_remembered_for_a_while_whatever_its_recipe_says() -> None:
    hasty = make_recipe(time={"spool_horizon_ms": 0})
    assert time_budget(hasty) == hasty.time.model_copy(update={"spool_horizon_ms": LEAST_HORIZON_MS})
    assert route(*whole(), recipe=hasty).routing is Routing.TRUSTED_PASS


@pytest.mark.parametrize("shift_ms", [5_001, -5_001])
def test_a_capture_whose_append_time_is_far_from_routes_clock_is_late(shift_ms: int) -> None:
    events = captured("top", append_ms=T0 + shift_ms), *whole()[1:]
    assert route(*events).causes == (Cause.LATE,)


@pytest.mark.parametrize("shift_ms", [5_000, -5_000])
def test_a_capture_within_the_allowed_skew_is_in_time(shift_ms: int) -> None:
    events = captured("top", append_ms=T0 + shift_ms), *whole()[1:]
    assert route(*events).routing is Routing.TRUSTED_PASS


@pytest.mark.parametrize(("before_ms", "passes"), [(501, True), (500, False), (0, False)])
def test_a_pass_keeps_the_commit_margin(before_ms: int, passes: bool) -> None:
    now_ms = T0 + 10_000 - before_ms
    events = (captured("top", append_ms=now_ms), captured("side", append_ms=now_ms), *whole()[2:])
    routed = route(*events, now_ms=now_ms, recipe=make_recipe(time={"max_skew_ms": 60_000}))
    assert (routed.routing is Routing.TRUSTED_PASS) is passes
    assert routed.causes == (() if passes else (Cause.LATE,))


@pytest.mark.parametrize(("authority", "passes"), [("rework-7", True), (None, False)])
def test_a_part_comes_back_only_with_an_authority(authority: str | None, passes: bool) -> None:
    back = Returned(previous_visit_id="v0", authority=authority)
    routed = route(captured("top", returned=back), *whole()[1:])
    assert (routed.routing is Routing.TRUSTED_PASS) is passes
    assert routed.returned_from == "v0"


def test_every_pass_is_audited_at_share_one_and_none_at_share_zero() -> None:
    audited = make_recipe(review={"audit_share_of_passes": 1.0})
    assert route(*whole(), recipe=audited).causes == (Cause.AUDIT,)
    assert route(*whole(), recipe=make_recipe()).routing is Routing.TRUSTED_PASS


def test_a_reject_drawn_for_review_is_diverted_with_its_cause() -> None:
    reviewed = make_recipe(review={"reject_review_share": 1.0})
    routed = route(*whole(verdict=Verdict.NG), recipe=reviewed)
    assert (routed.routing, routed.causes, routed.final) == (Routing.DIVERTED, (Cause.REJECT_REVIEW,), False)


def test_a_diverted_visit_is_not_audited() -> None:
    audited = make_recipe(review={"audit_share_of_passes": 1.0})
    assert route(*whole(suspicion=0.9), recipe=audited).causes == (Cause.LOW_TRUST,)


def test_a_coin_shows_heads_at_its_share_and_depends_on_secret_and_purpose() -> None:
    visits = [f"v{number}" for number in range(4000)]
    audit = [coin(SECRET, "audit", visit, 0.1) for visit in visits]
    assert 320 < sum(audit) < 480
    assert audit == [coin(SECRET, "audit", visit, 0.1) for visit in visits]
    assert audit != [coin(b"another secret", "audit", visit, 0.1) for visit in visits]
    assert audit != [coin(SECRET, "reject-review", visit, 0.1) for visit in visits]


def test_a_larger_share_draws_every_visit_that_a_smaller_one_draws() -> None:
    visits = [f"v{number}" for number in range(500)]
    small = {visit for visit in visits if coin(SECRET, "audit", visit, 0.05)}
    large = {visit for visit in visits if coin(SECRET, "audit", visit, 0.2)}
    assert small < large


def test_a_visit_of_which_nothing_is_known_never_passes() -> None:
    visit = machine.step(None, captured("top"), context()).visit
    assert visit is not None
    empty = visit.model_copy(update={"views": ()})
    assert rule_first(empty, make_recipe(), SECRET, T0).routing is Routing.DIVERTED
