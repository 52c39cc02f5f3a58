"""Where visits that were drawn stand in the order of reviews."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_route.events import Context, Event, Step
from linewarden_route.positions import MOST, Positions, drawn_position, is_model
from linewarden_route.visit import step
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Cause, CloseReason, Routing, Skill, Verdict
from tests.unit.route.builders import SECRET, T0, captured, closes, decided, dispositions, inspected, make_recipe, opens

REAL = (0.61, 0.72, 0.83)


def routed(recipe: Recipe, *, positions: tuple[float, ...] = REAL, visit: str = "v1", **side: Any) -> Step:
    events: tuple[Event, ...] = (
        captured("top", visit=visit, known_bad=side.pop("known_bad", False), bin_slot="B-7"),
        captured("side", visit=visit),
        inspected("top", visit=visit),
        inspected("side", visit=visit, **side),
    )
    now: Step = Step(None)
    effects: list[Any] = []
    for event in events:
        now = step(now.visit, event, Context(T0, recipe, SECRET, positions))
        effects += now.effects
    return Step(now.visit, tuple(effects))


@pytest.mark.parametrize(
    ("review", "side", "cause"),
    [
        ({"audit_share_of_passes": 1.0}, {}, Cause.AUDIT),
        ({"reject_review_share": 1.0}, {"verdict": Verdict.NG}, Cause.REJECT_REVIEW),
        ({}, {"verdict": Verdict.NG, "known_bad": True}, Cause.KNOWN_BAD),
    ],
)
def test_a_drawn_visit_stands_where_a_real_diversion_stood(
    review: dict[str, Any], side: dict[str, Any], cause: Cause
) -> None:
    recipe = make_recipe(review=review)
    seen = routed(recipe, **side)
    (slot,) = opens(seen)
    assert slot.causes == (cause,)
    assert slot.risk in REAL
    assert slot.due_ms == T0 + round((1 - slot.risk) * recipe.review.slack_low_risk_ms)
    assert seen.visit is not None
    assert seen.visit.position == slot.risk


def test_the_draw_is_the_same_for_the_same_visit_and_spread_over_visits() -> None:
    drawn = [drawn_position(SECRET, f"v{number}", REAL) for number in range(300)]
    assert drawn == [drawn_position(SECRET, f"v{number}", REAL) for number in range(300)]
    assert all(60 < drawn.count(risk) < 140 for risk in REAL)
    assert drawn != [drawn_position(b"another secret", f"v{number}", REAL) for number in range(300)]


def test_before_any_diversion_a_draw_lies_where_diversions_will_lie() -> None:
    drawn = [drawn_position(SECRET, f"v{number}", ()) for number in range(200)]
    assert 0.5 <= min(drawn) < 0.6
    assert 0.9 < max(drawn) < 1.0


def test_a_real_diversion_keeps_its_own_risk_and_becomes_a_model_for_others() -> None:
    seen = routed(make_recipe(), suspicion=0.9)
    (slot,) = opens(seen)
    assert slot.risk not in REAL
    assert seen.visit is not None
    assert seen.visit.position is None
    positions = Positions()
    positions.learn(seen.visit, make_recipe())
    positions.learn(seen.visit, make_recipe())
    assert positions.of(seen.visit) == (slot.risk,)


def test_a_visit_with_a_missing_view_is_no_model() -> None:
    two, three = make_recipe(), make_recipe(views=("top", "side", "face"))
    whole = routed(two, suspicion=0.9).visit
    assert whole is not None
    assert is_model(whole, two)
    assert not is_model(whole, three)
    assert not is_model(whole.model_copy(update={"causes": (Cause.LATE, Cause.LOW_TRUST)}), two)


def test_only_the_newest_diversions_are_remembered() -> None:
    positions, seen = Positions(), routed(make_recipe(), suspicion=0.9).visit
    assert seen is not None
    for number in range(MOST + 10):
        positions.learn(seen.model_copy(update={"visit_id": f"v{number}"}), make_recipe())
    assert len(positions.of(seen)) == MOST


def test_a_known_bad_is_withheld_whatever_the_machine_says() -> None:
    for verdict in (Verdict.OK, Verdict.NG):
        (routing,) = dispositions(routed(make_recipe(), verdict=verdict, known_bad=True))
        assert (routing.routing, routing.causes) == (Routing.DIVERTED, (Cause.KNOWN_BAD,))


def test_a_slot_carries_what_the_queue_needs_of_its_recipe() -> None:
    recipe = make_recipe(review={"needs": "surface", "capacity_per_hour": 40, "max_age_ms": 900_000})
    (slot,) = opens(routed(recipe, suspicion=0.9))
    assert (slot.needs, slot.capacity_per_hour, slot.max_age_ms, slot.bin_slot) == ("surface", 40, 900_000, "B-7")


def test_after_three_refused_judgements_a_lead_is_asked() -> None:
    recipe = make_recipe()
    visit: VisitSnapshot | None = routed(recipe, suspicion=0.9).visit
    skills = []
    for generation in range(3):
        event = decided(f"v1.r0.g{generation}", "OK", covers=())
        seen = step(visit, event, Context(T0, recipe, SECRET))
        assert [close.reason for close in closes(seen)] == [CloseReason.REFUSED]
        skills.append(opens(seen)[0].skill)
        visit = seen.visit
    assert skills == [Skill.OPERATOR, Skill.OPERATOR, Skill.LEAD]


def test_who_was_unsure_is_kept_from_the_other_round_at_once() -> None:
    recipe = make_recipe(review={"reviews_required": 2})
    visit = routed(recipe, suspicion=0.9).visit
    seen = step(visit, decided("v1.r0.g0", "UNSURE", "ann"), Context(T0, recipe, SECRET))
    assert [(slot.slot_id, slot.skill, slot.excluded_actors) for slot in opens(seen)] == [
        ("v1.r1.g0", Skill.OPERATOR, ("ann",)),
        ("v1.r0.g1", Skill.LEAD, ()),
    ]
