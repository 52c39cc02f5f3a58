"""What the production route makes of a visit closes by the rule that is written a second time, whatever befell it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from linewarden_audit.audit import balance_records
from linewarden_runtime.provision import recipe_record
from linewarden_runtime.testing import Fault
from linewarden_schemas.disposition import SlotClose, SlotOpen
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import (
    Act,
    CameraCondition,
    Cause,
    CloseReason,
    Judgement,
    Loss,
    Outcome,
    Role,
    Skill,
)
from tests.support.history import UNDO_MS, History
from tests.support.reading import write
from tests.support.shift import AT, decision, outcome, slot_close, slot_open, waiting
from tests.unit.audit.test_balance import of

TWO_REVIEWS: dict[str, Any] = {"review": {"undo_window_ms": UNDO_MS, "reviews_required": 2}}


@pytest.fixture
def made(request: pytest.FixtureRequest) -> Iterator[History]:
    history = History(**getattr(request, "param", {}))
    yield history
    history.close()


def require_balance(made: History) -> None:
    made.pass_time(UNDO_MS + 1_000)
    made.heartbeat()
    report = balance_records(made.records(), made.now_ms(), partitions=made.counts())
    assert report.closes, report.findings


def publish(made: History, **changes: Any) -> Recipe:
    made.pass_time(60_000)
    recipe = made.line.recipe.model_copy(update=changes)
    write(made.broker, [recipe_record(made.line.namespace, recipe, "/test")])
    made.pass_time(60_000)
    return recipe


def test_a_slot_that_was_taken_back_from_a_lead_is_for_an_operator_again(made: History) -> None:
    made.visit("v1", suspicion=0.9)
    made.decide("v1.r0.g0", "UNSURE")
    made.decide("v1.r0.g0", None, act=Act.UNDO, undoes="d-v1.r0.g0-ann", decision_id="u1")
    made.decide("v1.r0.g2", "OK", "bob")
    require_balance(made)


def test_a_slot_whose_escalation_was_torn_is_opened_as_it_was_until_the_same_decision_escalates_it(
    made: History,
) -> None:
    made.visit("v1", suspicion=0.9)
    shown = made.line.namespace.topic("reinspections")
    made.broker.faults.torn = lambda written: [place for place in written if place.topic == shown]
    made.broker.faults.torn_offsets = False
    made.broker.faults.order(Fault.TORN)
    made.decide("v1.r0.g0", "UNSURE")
    made.turn()
    opened = [one for one in made.line.slots() if isinstance(one, SlotOpen)]
    assert [(one.generation, one.skill) for one in opened] == [
        (0, Skill.OPERATOR),
        (1, Skill.LEAD),
        (0, Skill.OPERATOR),
        (1, Skill.LEAD),
    ]
    closes = [one for one in made.line.slots() if isinstance(one, SlotClose) and one.slot_id == "v1.r0.g0"]
    assert {(one.reason, one.decision_id) for one in closes} == {(CloseReason.ESCALATED, "d-v1.r0.g0-ann")}
    made.decide("v1.r0.g0", "OK", "bob")
    made.decide("v1.r0.g1", "NG", "lea", role=Role.LEAD)
    require_balance(made)
    assert made.line.dispositions()[-1].actors == ("lea",)


def test_what_was_escalated_and_is_asked_of_an_operator_again_is_unsound() -> None:
    escalated = slot_close(0, AT + 5_000).model_copy(update={"reason": CloseReason.ESCALATED})
    unsure = decision(0, judgement=Judgement.UNSURE, role=Role.LEAD)
    assert not of([*waiting(0), unsure, escalated, as_lead(slot_open(0, 1))]).unsound
    assert of([*waiting(0), unsure, escalated, slot_open(0, 1)]).unsound
    again = [*waiting(0), unsure, escalated, slot_open(0), escalated, as_lead(slot_open(0, 1))]
    assert not of(again).unsound
    assert of([as_lead(one) if one == slot_open(0) else one for one in again[:-3]] + again[-3:]).unsound


def test_what_a_lead_sends_back_balances_and_is_undone(made: History) -> None:
    lead = {"role": Role.LEAD}
    made.visit("v1", suspicion=0.9)
    made.decide("v1.r0.g0", "UNSURE", comment="faint")
    made.decide("v1.r0.g1", "UNSURE", "lea", hand_to=Skill.OPERATOR, **lead)
    made.decide("v1.r0.g1", None, "lea", act=Act.UNDO, undoes="d-v1.r0.g1-lea", decision_id="u1", **lead)
    made.decide("v1.r0.g3", "UNSURE", "kim", hand_to=Skill.OPERATOR, **lead)
    made.decide("v1.r0.g4", "OK", "bob")
    require_balance(made)
    assert made.line.dispositions()[-1].actors == ("bob",)


def test_what_is_sent_back_that_was_no_leads_is_unsound() -> None:
    escalated = slot_close(0, AT + 5_000).model_copy(update={"reason": CloseReason.ESCALATED})
    back = decision(0, judgement=Judgement.UNSURE, role=Role.LEAD, hand_to=Skill.OPERATOR)
    assert of([*waiting(0), back, escalated, slot_open(0, 1)]).unsound
    as_leads = [as_lead(one) if one == slot_open(0) else one for one in waiting(0)]
    assert not of([*as_leads, back, escalated, slot_open(0, 1)]).unsound


def as_lead(slot: Any) -> Any:
    return slot.model_copy(update={"skill": Skill.LEAD})


@pytest.mark.parametrize("made", [TWO_REVIEWS], indirect=True)
def test_a_second_content_of_the_recipe_takes_no_review_away(made: History) -> None:
    made.visit("v1", suspicion=0.9)
    publish(made, note="another hand")
    made.decide("v1.r0.g0")
    made.pass_time(UNDO_MS + 1_000)
    assert not made.line.dispositions()[-1].final
    made.decide("v1.r1.g0", "OK", "bob")
    require_balance(made)
    assert made.line.dispositions()[-1].outcome is Outcome.ACCEPT


def test_of_a_visit_whose_recipe_is_unknown_every_picture_has_to_be_looked_at(made: History) -> None:
    publish(made, note="another hand")
    made.visit("v1")
    made.pass_time(20_000)
    made.decide("v1.r0.g0", "OK", covers=("v1.top",))
    assert [one.reason for one in made.line.slots() if hasattr(one, "reason")] == [CloseReason.REFUSED]
    made.decide("v1.r0.g1", "OK", "bob")
    require_balance(made)


def test_a_capture_that_comes_after_all_and_names_another_recipe_is_no_fault_of_the_routing(made: History) -> None:
    made.capture("v1", "side", lost=Loss.OVERSIZE)
    made.pass_time(20_000)
    made.decide("v1.r0.g0", "NG", "lea", role=Role.LEAD)
    made.pass_time(UNDO_MS + 1_000)
    made.capture("v1", "top", recipe=publish(made, version=2).ref())
    made.inspect("v1", "top", recipe=made.line.recipe.model_copy(update={"version": 2}).ref())
    made.turn()
    require_balance(made)


def test_a_visit_under_a_condition_of_one_camera_is_asked_about_that_frame(made: History) -> None:
    made.capture("v1", "top", conditions=(CameraCondition.FROZEN,))
    made.capture("v1", "side")
    made.inspect("v1")
    made.turn()
    (slot,) = (one for one in made.line.slots() if isinstance(one, SlotOpen))
    assert {one.view_id: one.doubtful for one in slot.frames} == {"top": True, "side": False}
    made.decide("v1.r0.g0", "OK", covers=("v1.side",))
    assert [one.reason for one in made.line.slots() if isinstance(one, SlotClose)] == [CloseReason.REFUSED]
    made.decide("v1.r0.g1", "OK", "bob", covers=("v1.top",))
    require_balance(made)
    assert made.line.dispositions()[-1].outcome is Outcome.ACCEPT


def test_a_slot_is_held_to_what_it_asked_for_last(made: History) -> None:
    made.capture("v1", "side")
    made.pass_time(20_000)
    made.inspect("v1", "top")
    made.turn()
    made.capture("v1", "top", conditions=(CameraCondition.FROZEN,))
    made.turn()
    slots = (one for one in made.line.slots() if isinstance(one, SlotOpen))
    marks = [frame.doubtful for slot in slots for frame in slot.frames if frame.view_id == "top" and frame.verdict]
    assert (marks[0], marks[-1]) == (False, True)
    require_balance(made)


def test_a_slot_that_nobody_decided_may_be_withdrawn_and_opened_anew() -> None:
    first = slot_close(0, AT + 300).model_copy(
        update={"reason": CloseReason.WITHDRAWN, "decision_id": None, "actor": None}
    )
    again = [*waiting(0), first, slot_open(0)]
    assert of(again).closes
    assert of(again).waiting == 1
    assert of([*again, decision(0), slot_close(0, AT + 5_000), outcome(0)]).closes


def test_a_slot_names_a_cause_of_its_visit_unless_its_routing_did_not_come_through() -> None:
    torn = slot_open(0, cause=Cause.LATE)
    withdrawn = slot_close(0, AT + 300).model_copy(
        update={"reason": CloseReason.WITHDRAWN, "decision_id": None, "actor": None}
    )
    assert of([torn, withdrawn, *waiting(0)], AT + 60_000).closes
    assert of([torn, *waiting(0)], AT + 60_000).unsound
    assert of([torn, *waiting(0)], AT + 10_000).closes  # it may be of a revision that was not read yet


def test_a_slot_that_was_decided_may_be_opened_again_to_be_closed_by_the_same_decision() -> None:
    again = [*waiting(0), decision(0), slot_close(0, AT + 5_000), slot_open(0)]
    assert of([*again, slot_close(0, AT + 5_000), outcome(0)]).closes
    assert of([*again, outcome(0)]).unsound
    other = decision(0, decision_id="d9", actor="bert")
    foreign = slot_close(0, AT + 5_000).model_copy(update={"decision_id": "d9", "actor": "bert"})
    assert of([*again, other, foreign, outcome(0)]).unsound
