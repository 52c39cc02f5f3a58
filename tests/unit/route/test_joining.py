"""What a record adds to its visit: how risky it is, what it says against itself, and as what it is counted."""

from __future__ import annotations

import math
from typing import Any

import pytest

from linewarden_domain.agreement import ACROSS_DEVICES_TOLERANCE
from linewarden_route.bounds import MOST_FRAMES
from linewarden_route.events import Dead, Tally
from linewarden_route.joining import risk_of
from linewarden_schemas.capture import Returned
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Cause, Loss, Routing, Verdict
from tests.unit.route.builders import LIMITS, T0, captured, dispositions, inspected, make_inspection, opens, the
from tests.unit.route.test_review import Story, counted, late_side

LOG_ODDS = math.log(0.05 / 0.95)


def passed() -> Story:
    story = Story()
    story.tell(captured("top"), captured("side"), inspected("top"), inspected("side"))
    assert the(story.visit).routing is Routing.TRUSTED_PASS
    return story


@pytest.mark.parametrize(
    ("suspicion", "limit", "p", "risk"),
    [
        (0.1, 0.4, 0.05, 0.2),
        (0.4, 0.4, 0.05, 0.5),
        (1.6, 0.4, 0.05, 0.8),
        (0.1, 0.4, 0.3, 0.3),
        (-3.0, 0.4, 0.05, 0.05),
        (0.1, -3.0, 0.05, 1.0),
        (0.0, 0.0, 0.05, 0.5),
    ],
)
def test_risk_is_suspicion_on_the_scale_of_its_threshold_or_else_p(
    suspicion: float, limit: float, p: float, risk: float
) -> None:
    limits = Thresholds(defect=0.5, suspicion=limit)
    inspection = make_inspection(suspicion=suspicion, p_defect=p, thresholds=limits)
    assert risk_of(inspection) == pytest.approx(risk)


SCORES: dict[str, Any] = {"p_defect": 0.1, "suspicion": 0.1, "thresholds": LIMITS}


@pytest.mark.parametrize("lacking", list(SCORES))
def test_a_frame_of_which_a_score_is_lacking_is_of_the_highest_risk(lacking: str) -> None:
    scores = {name: None if name == lacking else value for name, value in SCORES.items()}
    assert risk_of(make_inspection(verdict=Verdict.NOT_DECIDABLE).model_copy(update=scores)) == 1.0


def test_a_visit_is_of_the_highest_risk_where_a_view_is_missing_or_was_not_judged() -> None:
    story = Story()
    story.tell(captured("top"), inspected("top"))
    assert [slot.risk for slot in opens(story.wait(10_000))] == [1.0]
    story = Story()
    story.tell(captured("top"), inspected("top"), captured("side"))
    assert [slot.risk for slot in opens(story.wait(10_000))] == [1.0]


@pytest.mark.parametrize("margin", [LOG_ODDS, LOG_ODDS + 0.1])
def test_a_margin_that_says_the_same_as_p_passes(margin: float) -> None:
    story = Story()
    step = story.tell(captured("top"), captured("side"), inspected("top"), inspected("side", margin=margin))
    assert dispositions(step)[0].routing is Routing.TRUSTED_PASS


def test_a_margin_that_is_apart_from_p_by_the_tolerance_and_no_more_passes() -> None:
    apart = {"margin": -1e6, "p_defect": ACROSS_DEVICES_TOLERANCE}
    step = Story().tell(captured("top"), captured("side"), inspected("top"), inspected("side", **apart))
    assert dispositions(step)[0].routing is Routing.TRUSTED_PASS


@pytest.mark.parametrize("unauthorised", ["top", "side"])
def test_a_part_that_one_view_says_came_back_without_an_authority_diverts(unauthorised: str) -> None:
    told = {view: Returned(previous_visit_id="v0", authority="rework-7") for view in ("top", "side")}
    told[unauthorised] = Returned(previous_visit_id="v0", authority=None)
    step = Story().tell(
        *(captured(view, returned=returned) for view, returned in told.items()), inspected("top"), inspected("side")
    )
    (routed,) = dispositions(step)
    assert (routed.routing, routed.causes) == (Routing.DIVERTED, (Cause.FAULT,))
    assert any("without an authority" in reason for reason in routed.reasons)


def test_a_picture_that_was_captured_is_not_lost_by_what_is_told_of_it_later() -> None:
    lost = captured("side", lost=Loss.SPOOL_CORRUPT, lost_detail="a bad sector")
    story = Story()
    step = story.tell(captured("top"), captured("side"), lost, inspected("top"), inspected("side"))
    assert dispositions(step)[0].routing is Routing.TRUSTED_PASS


def test_a_loss_that_nobody_explained_has_no_explanation() -> None:
    step = Story().tell(captured("top"), inspected("top"), captured("side", lost=Loss.DROPPED_OLDEST))
    (routed,) = dispositions(step)
    assert len(routed.reasons) == 1
    assert Loss.DROPPED_OLDEST.value in routed.reasons[0]


def test_the_first_records_of_a_visit_are_counted_as_nothing_else() -> None:
    story = Story()
    for event in (captured("top"), inspected("top"), inspected("side"), captured("side")):
        assert counted(story.tell(event)) == []


def test_a_record_that_comes_after_the_routing_is_counted_once_by_what_it_is() -> None:
    story = late_side()
    assert counted(story.tell(captured("side"))) == [(Tally.LATE, "capture")]
    assert counted(story.tell(inspected("side"))) == [(Tally.LATE, "inspection")]
    story = passed()
    step = story.tell(captured("side", part_id="P-1"), captured("side", part_id="P-2"))
    assert counted(step) == [(Tally.ALARM, "revision"), (Tally.CONTRADICTION, "capture")]


def test_a_record_that_comes_with_the_deadline_has_its_visit_routed_at_once() -> None:
    story = Story()
    story.tell(captured("top"))
    story.now_ms = T0 + 10_000
    (routed,) = dispositions(story.tell(captured("side", append_ms=story.now_ms)))
    assert (routed.routing, routed.decided_ms) == (Routing.DIVERTED, T0 + 10_000)


def test_a_record_of_a_checked_clock_that_is_in_time_begins_its_visit() -> None:
    for event in (captured(clock_checked=True), inspected(clock_checked=True)):
        assert Story().tell(event).visit is not None


def test_a_reject_stays_one_when_its_views_contradict_each_other_later() -> None:
    story = Story()
    story.tell(captured("top"), captured("side"), inspected("top"), inspected("side", verdict=Verdict.NG))
    (revised,) = dispositions(story.tell(inspected("side")))
    assert (revised.revision, revised.routing, revised.final) == (1, Routing.REJECTED, False)
    assert revised.alarm


def crowd(story: Story) -> Story:
    for number in range(MOST_FRAMES - len(the(story.visit).views)):
        story.tell(captured("top", frame_id=f"v1.{number}"))
    return story


def test_a_frame_too_many_gives_up_its_record_and_routes_nothing_before_the_deadline() -> None:
    story = Story()
    story.tell(captured("top"), inspected("top"))
    step = crowd(story).tell(captured("side"))
    assert [type(effect) for effect in step.effects] == [Dead]
    assert the(step.visit).revision == -1
    (routed,) = dispositions(story.wait(10_000))
    assert (routed.routing, Cause.FAULT in routed.causes) == (Routing.DIVERTED, True)
    assert any("frames name this visit" in reason for reason in routed.reasons)


def test_a_frame_too_many_of_a_routed_visit_raises_an_alarm_once() -> None:
    story = crowd(late_side())
    assert the(story.visit).revision == 0
    step = story.tell(captured("side", append_ms=story.now_ms))
    (revised,) = dispositions(step)
    assert (revised.revision, revised.routing, revised.final) == (1, Routing.DIVERTED, False)
    assert revised.alarm
    assert Dead in map(type, step.effects)
    assert [type(effect) for effect in story.tell(captured("side")).effects] == [Dead]
