"""What route says again after a restore: a routing that nobody could see, a pass seen too late, slots gone astray."""

from __future__ import annotations

import dataclasses

from linewarden_route import visit as machine
from linewarden_route.events import PassLate, RoutingSeen, RoutingUnseen, SlotsSeen, Step, Tally
from linewarden_schemas.vocabulary import Cause, CloseReason, Outcome, Role, Routing, Verdict
from tests.unit.route.builders import T0, captured, closes, context, decided, dispositions, inspected, opens, the
from tests.unit.route.test_review import WINDOW, Story, counted, late_side, undo

WHOLE = (captured("top"), captured("side"), inspected("top"), inspected("side"))


def story_of(**side: object) -> Story:
    story = Story()
    story.tell(*WHOLE[:3], inspected("side", **side))
    return story


def test_what_route_does_not_know_is_not_said_again() -> None:
    for event in (RoutingUnseen(), PassLate()):
        assert machine.step(None, event, context()) == Step(None)


def test_a_pass_that_nobody_saw_is_decided_anew_and_diverts_where_its_time_is_over() -> None:
    story = story_of()
    (again,) = dispositions(story.tell(RoutingUnseen()))
    assert (again.revision, again.routing, again.final, again.alarm) == (0, Routing.TRUSTED_PASS, True, None)
    story.now_ms += 10_000
    step = story.tell(RoutingUnseen())
    (late,) = dispositions(step)
    assert (late.revision, late.routing, late.causes, late.final) == (0, Routing.DIVERTED, (Cause.LATE,), False)
    assert opens(step)


def test_a_diversion_and_a_reject_that_nobody_saw_are_told_as_they_were() -> None:
    for side, routing in (({"suspicion": 0.9}, Routing.DIVERTED), ({"verdict": Verdict.NG}, Routing.REJECTED)):
        story = story_of(**side)
        before = story.visit
        step = story.tell(RoutingUnseen())
        (again,) = dispositions(step)
        assert (again.revision, again.routing, again.outcome, again.alarm) == (0, routing, None, None)
        assert again.final is (routing is Routing.REJECTED)
        assert (step.visit, len(step.effects)) == (before, 1)


def test_an_alarm_that_nobody_saw_is_raised_again() -> None:
    story = late_side()
    story.tell(captured("side"), inspected("side", verdict=Verdict.NG))
    (again,) = dispositions(story.tell(RoutingUnseen()))
    assert (again.revision, again.routing, again.final) == (1, Routing.REJECTED, False)
    assert again.alarm


def test_revisions_that_nobody_saw_are_told_from_the_first_on() -> None:
    story = late_side()
    story.tell(captured("side"), inspected("side", verdict=Verdict.NG))
    story.tell(captured("top", frame_id="v1.top.again"), inspected("top", frame_id="v1.top.again", camera_id="cam-x"))
    last = the(story.visit).revision
    assert last == 2
    told = dispositions(story.tell(RoutingUnseen(first=0)))
    assert [(one.revision, one.final, one.alarm is not None) for one in told] == [
        (0, True, False),
        (1, False, True),
        (2, False, True),
    ]


def test_a_diversion_told_again_with_its_outcome_was_not_final_at_first() -> None:
    story = story_of(suspicion=0.9)
    story.tell(decided("v1.r0.g0"))
    story.wait(WINDOW)
    told = dispositions(story.tell(RoutingUnseen(first=0)))
    assert [(one.revision, one.final, one.outcome, one.alarm) for one in told] == [
        (0, False, None, None),
        (1, True, Outcome.ACCEPT, None),
    ]


def test_an_outcome_that_nobody_saw_is_told_with_its_concession_and_without_an_alarm() -> None:
    story = story_of(suspicion=0.9)
    named = {"outcome": Outcome.USE_AS_IS, "concession": "C-12"}
    story.tell(decided("v1.r0.g0", "NG", "quinn", role=Role.QUALITY, **named))
    (done,) = dispositions(story.wait(WINDOW))
    assert dispositions(story.tell(RoutingUnseen())) == [done]
    assert (done.concession, done.final, done.alarm) == ("C-12", True, None)


def test_a_pass_that_became_visible_too_late_is_taken_back_once_with_an_alarm() -> None:
    story = story_of()
    step = story.tell(PassLate())
    (revised,) = dispositions(step)
    assert (revised.revision, revised.routing, revised.causes) == (1, Routing.DIVERTED, (Cause.LATE,))
    assert revised.alarm
    assert not revised.final
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g0"]
    assert counted(step) == [(Tally.ALARM, "revision"), (Tally.LATE, "pass")]
    assert story.tell(PassLate()) == Step(story.visit)


def test_only_a_pass_is_taken_back() -> None:
    for side in ({"suspicion": 0.9}, {"verdict": Verdict.NG}):
        story = story_of(**side)
        assert story.tell(PassLate()) == Step(story.visit)


def test_nothing_passes_where_the_brokers_time_is_not_known_and_a_reject_stays_one() -> None:
    untimed = dataclasses.replace(context(), is_timed=False)
    for side, routing, causes in (
        ({}, Routing.DIVERTED, (Cause.LATE,)),
        ({"verdict": Verdict.NG}, Routing.REJECTED, ()),
    ):
        step = Step(None)
        for event in (captured("top"), captured("side"), inspected("top"), inspected("side", **side)):
            step = machine.step(step.visit, event, untimed)
        (routed,) = dispositions(step)
        assert (routed.routing, routed.causes) == (routing, causes)


def test_slots_that_readers_see_as_the_state_has_them_are_left_alone() -> None:
    story = Story()
    asked = opens(story.diverted())
    assert story.tell(SlotsSeen(tuple(asked))) == Step(story.visit)


def test_an_open_slot_that_no_reader_sees_is_offered_again() -> None:
    story = Story()
    asked = opens(story.diverted())
    assert opens(story.tell(SlotsSeen(()))) == asked


def test_a_slot_that_the_state_does_not_know_is_withdrawn() -> None:
    story = Story()
    asked = opens(story.diverted())
    for visit in (None, the(story_of(suspicion=0.9).visit).model_copy(update={"slots": ()})):
        step = machine.step(visit, SlotsSeen(tuple(asked)), context())
        assert [(close.slot_id, close.reason) for close in closes(step)] == [("v1.r0.g0", CloseReason.WITHDRAWN)]


def test_a_diversion_that_waits_for_nobody_is_asked_for_and_no_other_visit_is() -> None:
    diverted = story_of(suspicion=0.9)
    stranded = the(diverted.visit).model_copy(update={"slots": ()})
    assert [slot.slot_id for slot in opens(machine.step(stranded, SlotsSeen(()), context()))] == ["v1.r0.g0"]
    gathering = machine.step(None, captured("top"), context()).visit
    closed = tuple(closes(diverted.tell(decided("v1.r0.g0"))))
    for visit, seen in ((gathering, ()), (story_of().visit, ()), (diverted.visit, closed)):
        assert machine.step(visit, SlotsSeen(seen), context()) == Step(visit)


def test_a_slot_of_which_nobody_saw_anything_is_told_as_closed() -> None:
    story = Story()
    story.diverted()
    first = story.tell(decided("v1.r0.g0", "UNSURE"))
    second = story.tell(decided("v1.r0.g1", "UNSURE", "lea", role=Role.LEAD))
    step = story.tell(SlotsSeen((*closes(first), *opens(second))))
    assert [(close.slot_id, close.reason) for close in closes(step)] == [("v1.r0.g1", closes(second)[0].reason)]


def test_a_slot_whose_answer_was_undone_is_told_as_withdrawn_and_names_no_decision() -> None:
    story = Story()
    asked = opens(story.diverted())
    reopened = opens(story.tell(decided("v1.r0.g0"), undo("v1.r0.g0")))
    (close,) = closes(story.tell(SlotsSeen((*asked, *reopened))))
    assert (close.slot_id, close.reason) == ("v1.r0.g0", CloseReason.WITHDRAWN)
    assert (close.decision_id, close.actor) == (None, None)


def test_a_close_that_is_told_again_names_the_time_of_the_answer() -> None:
    story = Story()
    asked = opens(story.diverted())
    story.tell(decided("v1.r0.g0"))
    story.now_ms += 5_000
    assert [close.closed_ms for close in closes(story.tell(SlotsSeen(tuple(asked))))] == [T0]


def test_a_frame_that_the_routing_does_not_tell_of_stays_known_when_it_is_adopted() -> None:
    (seen,) = dispositions(Story().tell(*WHOLE))
    state = machine.step(None, captured("top", frame_id="v1.top.again"), context()).visit
    step = machine.step(state, RoutingSeen(seen), context())
    assert {view.frame_id for view in the(step.visit).views} == {"v1.top", "v1.side", "v1.top.again"}
