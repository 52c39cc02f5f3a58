from typing import Any

import pytest

from linewarden_route import visit as machine
from linewarden_route.events import Counted, RoutingSeen, SlotsSeen, Step
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Cause, CloseReason, Routing, Verdict
from tests.unit.route.builders import T0, captured, closes, context, decided, dispositions, inspected, opens, the


def routed(**side: Any) -> Disposition:
    step = Step(None)
    for event in (captured("top"), captured("side"), inspected("top"), inspected("side", **side)):
        step = machine.step(step.visit, event, context())
    return dispositions(step)[0]


@pytest.mark.parametrize("side", [{}, {"verdict": Verdict.NG}, {"suspicion": 0.9}])
def test_a_visible_routing_is_adopted_and_never_decided_again(side: dict[str, Any]) -> None:
    seen = routed(**side)
    step = machine.step(None, RoutingSeen(seen), context())
    assert not dispositions(step)
    assert the(step.visit).routing is seen.routing
    for event in (captured("top"), captured("side"), inspected("top"), inspected("side", **side)):
        step = machine.step(step.visit, event, context())
        assert not dispositions(step)


def test_an_adopted_diversion_has_an_open_slot_under_the_same_id() -> None:
    step = machine.step(None, RoutingSeen(routed(suspicion=0.9)), context())
    assert [slot.slot_id for slot in opens(step)] == ["v1.r0.g0"]


def test_an_accept_of_an_adopted_diversion_must_cover_each_of_its_frames() -> None:
    step = machine.step(None, RoutingSeen(routed(suspicion=0.9)), context())
    assert [frame.doubtful for slot in opens(step) for frame in slot.frames] == [True, True]
    for number, covers in enumerate([(), ("v1.top",), ("v1.side",)]):
        step = machine.step(step.visit, decided(f"v1.r0.g{number}", covers=covers), context())
        assert [close.reason for close in closes(step)] == [CloseReason.REFUSED]


def test_a_frame_that_the_state_knows_as_good_is_doubtful_where_its_visit_was_diverted_as_a_whole() -> None:
    step = Step(None)
    for event in (captured("side", part_id="P-1"), inspected("side")):
        step = machine.step(step.visit, event, context())
    before = step.visit
    for event in (captured("top", part_id="P-2"), inspected("top")):
        step = machine.step(step.visit, event, context())
    torn = machine.step(before, RoutingSeen(dispositions(step)[0]), context())
    assert [(frame.view_id, frame.doubtful) for slot in opens(torn) for frame in slot.frames] == [
        ("side", True),
        ("top", True),
    ]


def test_a_frame_of_an_adopted_diversion_stays_doubtful_when_its_records_are_read_again() -> None:
    step = Step(None)
    for event in (captured("side", part_id="P-1"), inspected("side"), captured("top", part_id="P-2"), inspected("top")):
        step = machine.step(step.visit, event, context())
    step = machine.step(None, RoutingSeen(dispositions(step)[0]), context())
    for event in (captured("side", part_id="P-1"), inspected("side")):
        step = machine.step(step.visit, event, context())
    assert {view.view_id: view.doubtful for view in the(step.visit).views} == {"side": True, "top": True}


def test_an_alarm_of_an_adopted_pass_tells_of_no_doubt_that_there_never_was() -> None:
    visit = machine.step(None, RoutingSeen(routed()), context()).visit
    for part_id in ("P-1", "P-2"):
        step = machine.step(visit, captured("side", part_id=part_id), context())
        visit = step.visit
    (alarm,) = dispositions(step)
    assert (alarm.revision, alarm.causes) == (1, (Cause.FAULT,))


@pytest.mark.parametrize(
    ("judgement", "reason"),
    [("UNSURE", CloseReason.ESCALATED), ("NG", CloseReason.DECIDED)],
)
def test_a_close_that_could_not_be_seen_is_told_again_as_it_was(judgement: str, reason: CloseReason) -> None:
    asked = machine.step(None, RoutingSeen(routed(suspicion=0.9)), context())
    answered = machine.step(asked.visit, decided("v1.r0.g0", judgement), context())
    step = machine.step(answered.visit, SlotsSeen(tuple(opens(asked))), context())
    assert [close.reason for close in closes(step)] == [reason]


def test_a_close_is_told_again_where_readers_see_that_its_answer_was_undone_and_the_state_counts_it() -> None:
    asked = machine.step(None, RoutingSeen(routed(suspicion=0.9)), context())
    answered = machine.step(asked.visit, decided("v1.r0.g0", "NG"), context())
    (told,) = closes(answered)
    undone = told.model_copy(update={"reason": CloseReason.UNDONE, "decision_id": "u1"})
    assert closes(machine.step(answered.visit, SlotsSeen((told,)), context())) == []
    (again,) = closes(machine.step(answered.visit, SlotsSeen((undone,)), context()))
    assert (again.reason, again.decision_id) == (CloseReason.DECIDED, told.decision_id)


def test_a_routing_that_the_state_knows_changes_nothing() -> None:
    seen = routed(suspicion=0.9)
    known = machine.step(None, RoutingSeen(seen), context()).visit
    assert machine.step(known, RoutingSeen(seen), context()) == Step(known)


def test_records_of_an_adopted_pass_that_come_again_are_duplicates() -> None:
    visit = machine.step(None, RoutingSeen(routed()), context()).visit
    step = machine.step(visit, captured("top"), context())
    assert all(isinstance(effect, Counted) for effect in step.effects)
    assert the(step.visit).routing is Routing.TRUSTED_PASS


def test_each_frame_of_an_adopted_visit_has_a_time_of_its_own_which_only_its_records_tell() -> None:
    records = (captured("top"), captured("side", at_ms=T0 + 90), inspected("top"), inspected("side", at_ms=T0 + 90))
    step = Step(None)
    for event in records:
        step = machine.step(step.visit, event, context())
    step = machine.step(None, RoutingSeen(dispositions(step)[0]), context())
    for event in records[::-1]:
        step = machine.step(step.visit, event, context())
        assert not dispositions(step)
    assert not the(step.visit).contradictions
    step = machine.step(step.visit, inspected("side", at_ms=T0), context())
    assert [one.what for one in the(step.visit).contradictions] == ["deadlines", "times of capture"]


def test_a_gathering_visit_takes_over_the_routing_that_its_state_missed() -> None:
    gathering = machine.step(None, captured("top"), context()).visit
    step = machine.step(gathering, RoutingSeen(routed()), context())
    visit = the(step.visit)
    assert (visit.revision, visit.final, len(visit.views)) == (0, True, 2)
