"""Who may answer which round, what an undo takes back, and what falls away when a visit is asked for afresh."""

from __future__ import annotations

import pytest

from linewarden_domain.words import MOST_TEXT
from linewarden_route import visit as machine
from linewarden_route.bounds import MOST_GENERATIONS
from linewarden_route.events import Counted, DropSlot, Event, Step, Tally, TimerDue
from linewarden_route.review import resend
from linewarden_route.slots import disagrees
from linewarden_schemas.decision import Shown
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import CloseReason, Outcome, Skill
from tests.unit.route.builders import (
    T0,
    captured,
    closes,
    context,
    decided,
    dispositions,
    inspected,
    make_recipe,
    opens,
    the,
)
from tests.unit.route.test_review import WINDOW, Story, counted, in_two_rounds_without_side, two_rounds, undo

UNKNOWN = "the recipe's version is not to be had for a while, so the default of one round holds"


def tell_without_recipe(story: Story, event: Event) -> Step:
    step = machine.step(story.visit, event, context(story.now_ms, known=False))
    story.visit = step.visit
    return step


def ended(step: Step) -> list[tuple[str, CloseReason]]:
    return [(close.slot_id, close.reason) for close in closes(step)]


def asked(step: Step) -> list[tuple[str, tuple[str, ...]]]:
    return [(slot.slot_id, slot.excluded_actors) for slot in opens(step)]


def test_who_was_refused_in_one_round_may_answer_another() -> None:
    story = two_rounds()
    step = story.tell(decided("v1.r0.g0", covers=()))
    assert counted(step) == [(Tally.REFUSED, "uncovered")]
    step = story.tell(decided("v1.r1.g0"))
    assert ended(step) == [("v1.r1.g0", CloseReason.DECIDED)]


def test_an_open_tie_break_is_withdrawn_when_a_doubtful_frame_has_everybody_asked_again() -> None:
    story = in_two_rounds_without_side()
    step = story.tell(decided("v1.r0.g0"), decided("v1.r1.g0", "NG", "ben"))
    assert asked(step) == [("v1.r2.g0", ("ann", "ben"))]
    step = story.tell(inspected("side", suspicion=0.9))
    assert ended(step) == [("v1.r2.g0", CloseReason.WITHDRAWN)]
    assert asked(step) == [("v1.r0.g1", ()), ("v1.r1.g1", ())]


def test_an_undo_gives_its_author_back_to_the_other_rounds() -> None:
    story = two_rounds()
    story.tell(decided("v1.r0.g0"))
    step = story.tell(undo("v1.r0.g0"))
    assert asked(step) == [("v1.r1.g0", ()), ("v1.r0.g1", ())]
    assert ended(story.tell(decided("v1.r1.g0"))) == [("v1.r1.g0", CloseReason.DECIDED)]


def test_a_decision_is_undone_once() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0"), undo("v1.r0.g0"))
    assert story.tell(undo("v1.r0.g0")).effects == (Counted(Tally.REFUSED, "undo_unknown"),)


def test_a_decision_that_was_refused_cannot_be_undone() -> None:
    story = Story()
    story.diverted()
    story.tell(decided("v1.r0.g0", covers=()))
    assert story.tell(undo("v1.r0.g0")).effects == (Counted(Tally.REFUSED, "undo_unknown"),)
    assert [slot.slot_id for slot in the(story.visit).slots if slot.open] == ["v1.r0.g1"]


def test_who_disagrees_again_after_an_undo_goes_to_a_new_tie_break() -> None:
    story = two_rounds()
    story.tell(decided("v1.r0.g0"), decided("v1.r1.g0", "NG", "ben"), undo("v1.r0.g0"))
    step = story.tell(decided("v1.r0.g1"))
    assert [(slot.slot_id, slot.skill) for slot in opens(step)] == [("v1.r2.g1", Skill.LEAD)]


def test_a_tie_break_that_was_withdrawn_decides_nothing_and_keeps_nobody_from_an_undo() -> None:
    story = two_rounds()
    story.tell(decided("v1.r0.g0"), decided("v1.r1.g0", "NG", "ben"), undo("v1.r0.g0"))
    story.tell(decided("v1.r0.g1", "NG"))
    step = story.tell(undo("v1.r1.g0", "ben"))
    assert [slot.slot_id for slot in opens(step)] == ["v1.r1.g1"]
    story.tell(decided("v1.r1.g1", "NG", "ben"))
    (done,) = dispositions(story.wait(WINDOW))
    assert (done.outcome, done.actors) == (Outcome.SCRAP, ("ann", "ben"))


def test_rounds_that_agree_do_not_disagree() -> None:
    story = two_rounds()
    story.tell(decided("v1.r0.g0"))
    assert not disagrees(the(story.visit), story.recipe.review)
    story.tell(decided("v1.r1.g0", "OK", "ben"))
    assert not disagrees(the(story.visit), story.recipe.review)


def test_a_round_that_is_needed_no_more_is_withdrawn_when_the_visit_is_settled() -> None:
    story = two_rounds()
    step = tell_without_recipe(story, decided("v1.r0.g0"))
    assert ended(step) == [("v1.r0.g0", CloseReason.DECIDED), ("v1.r1.g0", CloseReason.WITHDRAWN)], UNKNOWN
    assert the(story.visit).undo_until_ms == T0 + WINDOW


def test_an_unsure_of_a_round_that_is_over_opens_it_no_more() -> None:
    story = two_rounds()
    story.tell(decided("v1.r1.g0", "UNSURE", "ben"))
    tell_without_recipe(story, decided("v1.r0.g0"))
    before = story.visit
    step = tell_without_recipe(story, undo("v1.r1.g0", "ben"))
    assert (counted(step), step.visit) == ([(Tally.REFUSED, "undo_overtaken")], before), UNKNOWN


def test_a_round_that_is_needed_only_now_is_opened_with_the_first_answer() -> None:
    story = Story(make_recipe(review={"reviews_required": 2}))
    for event in (captured("top"), captured("side"), inspected("top")):
        tell_without_recipe(story, event)
    tell_without_recipe(story, inspected("side", suspicion=0.9))
    story.now_ms += 10_000
    assert asked(tell_without_recipe(story, TimerDue())) == [("v1.r0.g0", ())], UNKNOWN
    assert asked(story.tell(decided("v1.r0.g0"))) == [("v1.r1.g0", ("ann",))]
    assert the(story.visit).undo_until_ms is None


def test_the_oldest_generations_of_a_round_are_forgotten_with_their_tombstones() -> None:
    story = Story()
    story.diverted()
    dropped: list[str] = []
    for number in range(MOST_GENERATIONS + 1):
        step = story.tell(decided(f"v1.r0.g{number}"), undo(f"v1.r0.g{number}"))
        assert [slot.slot_id for slot in opens(step)] == [f"v1.r0.g{number + 1}"]
        dropped += [effect.slot_id for effect in step.effects if isinstance(effect, DropSlot)]
    assert dropped == ["v1.r0.g0", "v1.r0.g1"]
    assert len(the(story.visit).slots) == MOST_GENERATIONS


@pytest.mark.parametrize("sha256", [digest(b"v1.side"), None])
def test_who_was_shown_the_picture_that_was_captured_has_looked_at_it(sha256: str | None) -> None:
    story = Story()
    story.diverted()
    step = story.tell(decided("v1.r0.g0", shown=(Shown(frame_id="v1.side", sha256=sha256),)))
    assert ended(step) == [("v1.r0.g0", CloseReason.DECIDED)]


def test_a_refusal_that_names_many_frames_fits_into_the_record_that_tells_it() -> None:
    story = Story()
    for number in range(40):
        story.tell(captured("top", frame_id=f"v1.{number}.{'x' * 90}"))
    story.wait(10_000)
    (close,) = closes(story.tell(decided("v1.r0.g0")))
    assert close.reason is CloseReason.REFUSED
    assert len(close.detail or "") == MOST_TEXT


def test_a_slot_of_which_nobody_knows_when_it_was_opened_is_due_before_all_others() -> None:
    story = Story()
    story.diverted()
    visit = the(story.visit)
    slots = tuple(slot.model_copy(update={"opened_ms": None}) for slot in visit.slots)
    (slot,) = opens(resend(visit.model_copy(update={"slots": slots}), context()))
    assert slot.opened_ms == 0
    assert slot.due_ms < T0
