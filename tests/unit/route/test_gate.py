"""What a gate did, beside what it was told: something else, or no word in time, makes a revision with an alarm."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_route import visit as machine
from linewarden_route.events import ActuationSeen, Dead, Event, RoutingSeen, RoutingUnseen, Step, Tally
from linewarden_route.visits import Visits
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import Cause, Outcome, Routing, Verdict
from tests.support.route_line import GATED
from tests.unit.route.builders import T0, captured, context, decided, dispositions, inspected, make_recipe, opens, the
from tests.unit.route.test_review import Story, counted

DUE = 10_000 + 3_000


def routed(**side: Any) -> Story:
    story = Story(make_recipe(time={"gate_report_ms": 3_000}))
    ref: dict[str, Any] = {"recipe": story.recipe.ref(), "line_state": GATED}
    looked: dict[str, Any] = {"recipe": story.recipe.ref()}
    story.tell(captured("top", **ref), captured("side", **ref), inspected("top", **looked))
    story.tell(inspected("side", **looked, **side))
    return story


def did(actual: Routing | None, intended: Routing = Routing.TRUSTED_PASS) -> Event:
    return ActuationSeen(Actuation(visit_id="v1", intended=intended, actual=actual, at_ms=T0))


def test_a_report_of_what_it_was_told_ends_the_wait() -> None:
    story = routed()
    assert machine.next_due_ms(the(story.visit)) == T0 + DUE
    assert dispositions(story.tell(did(Routing.TRUSTED_PASS))) == []
    assert machine.next_due_ms(the(story.visit)) == the(story.visit).forget_at_ms
    story.now_ms += DUE
    assert dispositions(story.wait(0)) == []
    again = story.tell(did(Routing.TRUSTED_PASS))
    assert counted(again) == [(Tally.DUPLICATE, "actuation")]


@pytest.mark.parametrize("actual", [Routing.DIVERTED, Routing.REJECTED, None])
def test_a_pass_that_the_gate_did_not_let_through_is_withheld_with_an_alarm(actual: Routing | None) -> None:
    story = routed()
    step = story.tell(did(actual))
    (revised,) = dispositions(step)
    assert (revised.revision, revised.routing, revised.causes, revised.final) == (
        1,
        Routing.DIVERTED,
        (Cause.FAULT,),
        False,
    )
    assert revised.alarm
    assert f"did {actual or 'nothing that it knows of'}" in revised.reasons[0]
    assert opens(step)
    assert dispositions(story.wait(DUE)) == []


@pytest.mark.parametrize(
    ("side", "told"),
    [({"suspicion": 0.9}, Routing.DIVERTED), ({"verdict": Verdict.NG}, Routing.REJECTED)],
)
def test_a_part_that_the_gate_let_through_and_was_not_to_is_told_with_an_alarm(side: Any, told: Routing) -> None:
    story = routed(**side)
    assert the(story.visit).gate_told is told
    (revised,) = dispositions(story.tell(did(Routing.TRUSTED_PASS, told)))
    assert (revised.revision, revised.routing) == (1, told)
    assert revised.alarm
    assert not revised.final


def test_a_gate_that_says_nothing_in_time_is_told_once_and_its_late_word_only_where_it_differs() -> None:
    story = routed()
    assert dispositions(story.wait(DUE - 1)) == []
    (revised,) = dispositions(story.wait(1))
    assert (revised.revision, revised.routing, revised.causes) == (1, Routing.DIVERTED, (Cause.FAULT,))
    assert "no report" in revised.reasons[0]
    assert dispositions(story.wait(DUE)) == []
    late = story.tell(did(Routing.TRUSTED_PASS))
    assert (dispositions(late), counted(late)) == ([], [(Tally.LATE, "actuation")])
    assert dispositions(story.tell(did(Routing.DIVERTED)))


def test_two_reports_that_differ_are_told_though_the_first_agreed() -> None:
    story = routed()
    story.tell(did(Routing.TRUSTED_PASS))
    (revised,) = dispositions(story.tell(did(Routing.DIVERTED)))
    assert revised.alarm


def test_a_report_before_the_routing_diverts() -> None:
    story = Story()
    story.tell(captured("top", line_state=GATED), did(Routing.TRUSTED_PASS), captured("side", line_state=GATED))
    (first,) = dispositions(story.tell(inspected("top"), inspected("side")))
    assert (first.revision, first.routing, first.causes) == (0, Routing.DIVERTED, (Cause.FAULT,))


def test_a_line_without_a_gate_awaits_none_and_a_report_of_nothing_known_is_a_dead_letter() -> None:
    story = Story()
    story.tell(captured("top"), captured("side"), inspected("top"), inspected("side"))
    assert the(story.visit).gate_due_ms is None
    step = story.tell(did(Routing.TRUSTED_PASS))
    assert [effect.cause for effect in step.effects if isinstance(effect, Dead)] == ["no-gate"]
    unknown = machine.step(None, did(Routing.TRUSTED_PASS), context())
    assert [effect.cause for effect in unknown.effects if isinstance(effect, Dead)] == ["unknown-visit"]


def test_a_known_bad_is_a_picture_alone_and_awaits_no_gate() -> None:
    story = Story()
    more: dict[str, Any] = {"line_state": GATED, "known_bad": True}
    story.tell(captured("top", **more), captured("side", **more), inspected("top"), inspected("side"))
    assert the(story.visit).causes == (Cause.KNOWN_BAD,)
    assert the(story.visit).gate_due_ms is None


def test_what_people_decide_of_a_diverted_part_stands_beside_the_gates_report() -> None:
    story = routed(suspicion=0.9)
    story.tell(did(Routing.DIVERTED, Routing.DIVERTED), decided("v1.r0.g0"))
    (final,) = dispositions(story.wait(20_000))
    assert (final.outcome, final.final) == (Outcome.ACCEPT, True)


def test_a_restore_waits_for_the_gate_as_its_predecessor_did() -> None:
    story = routed()
    (seen,) = dispositions(machine.step(story.visit, RoutingUnseen(), context(T0, story.recipe)))
    adopted = the(machine.step(None, RoutingSeen(seen), context(T0, story.recipe)).visit)
    assert (adopted.gate_told, adopted.gate_due_ms) == (Routing.TRUSTED_PASS, T0 + DUE)
    visits = Visits()
    visits.put("v1", story.visit)
    assert visits.due(T0 + DUE, 5) == ["v1"]
    step: Step = machine.step(visits.get("v1"), did(Routing.DIVERTED), context(T0, story.recipe))
    assert dispositions(step)
