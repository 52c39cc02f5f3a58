"""A part passes only where the line was in production, and nothing locked it, at its picture and at its decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from linewarden_audit.audit import balance_records
from linewarden_audit.findings import Allowance
from linewarden_domain.words import in_words
from linewarden_route.line_watch import LineWatch, against_state
from linewarden_route.passes import GivenPasses
from linewarden_runtime.books import StateBook
from linewarden_runtime.broker_time import BrokerTime
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.disposition import Disposition, SlotOpen
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import LineLock, LineState
from linewarden_schemas.vocabulary import Cause, LineMode, LockCause, Outcome, Routing, Verdict
from tests.support.history import UNDO_MS, History
from tests.support.route_line import turn_until_owned
from tests.unit.route.builders import T0

LOCK = LineLock(cause=LockCause.CHECK_FAILED, since_ms=T0, actor="line")
WITHHELD: dict[str, tuple[LineMode, dict[str, Any]]] = {
    **{mode.value: (mode, {}) for mode in LineMode if mode is not LineMode.PRODUCTION},
    "locked": (LineMode.PRODUCTION, {"locks": (LOCK,)}),
}
MARGIN_MS = 7_000
"""Longer than a state may be unknown to route."""
ANSWERED_MS = Allowance().margin_ms + 1_000
"""Longer than route may need to take a pass back."""


@pytest.fixture
def made() -> Iterator[History]:
    history = History()
    yield history
    history.close()


def routings(made: History, visit: str) -> list[Routing]:
    return [one.routing for one in made.line.dispositions(visit)]


def unsafe(made: History) -> tuple[str, ...]:
    return balance_records(made.records(), made.now_ms(), partitions=made.counts()).unsafe


@pytest.mark.parametrize(("mode", "more"), WITHHELD.values(), ids=WITHHELD)
def test_a_part_passes_only_if_picture_and_decision_fall_into_production(
    made: History, mode: LineMode, more: dict[str, Any]
) -> None:
    made.visit("before")
    made.capture("across")
    made.turn()
    state = made.line.tell_state(mode, **more)
    made.pass_time(MARGIN_MS)
    made.inspect("across")
    made.turn()
    made.visit("pinned", {"line_state": state.ref()})
    made.line.tell_state()
    made.visit("pinned-before", {"line_state": state.ref()})
    made.visit("after")
    passed, diverted = [Routing.TRUSTED_PASS], [Routing.DIVERTED]
    found = {visit: routings(made, visit) for visit in ("before", "across", "pinned", "pinned-before", "after")}
    assert found == {
        "before": passed,
        "across": diverted,
        "pinned": diverted,
        "pinned-before": diverted,
        "after": passed,
    }
    (across,) = made.line.dispositions("across")
    assert across.causes == (Cause.FAULT,)
    assert all(in_words(one, "de") for one in across.reasons_coded)
    assert unsafe(made) == ()


@pytest.mark.parametrize(("mode", "more"), WITHHELD.values(), ids=WITHHELD)
def test_the_balance_names_a_pass_that_was_decided_in_another_state(
    made: History, mode: LineMode, more: dict[str, Any]
) -> None:
    made.pass_time(60_000)
    made.visit("v1")
    (passed,) = made.line.dispositions("v1")
    records = made.records()
    told = next(one for one in records if one.topic.endswith("line-state"))
    for early_ms, later_ms, named in ((MARGIN_MS, 0, ("v1",)), (1_000, 0, ()), (1_000, ANSWERED_MS, ("v1",))):
        state = LineState(line_id="line1", mode=mode, since_ms=5, actor="ann", **more)
        sent = encode(state, id="s", source="/test", time_ms=5)
        wrong = replace(
            told, value=sent.value, headers=sent.headers, offset=1, timestamp_ms=passed.decided_ms - early_ms
        )
        report = balance_records([*records, wrong], made.now_ms() + later_ms, partitions=made.counts())
        assert report.unsafe == named
    assert decode(told.headers, told.value).message != state


def decided_unknowing(made: History, monkeypatch: pytest.MonkeyPatch, **state: Any) -> None:
    """A state is told, route has not learnt it yet, and a part is decided; a moment later the line runs again."""
    with monkeypatch.context() as slow:
        slow.setattr(made.router.states, "refresh", lambda: None)
        made.visit("before")
        made.line.pass_time(100)
        made.line.tell_state(**state)
        made.line.pass_time(100)
        made.visit("between")
        made.line.pass_time(100)
        made.line.tell_state()
        made.line.pass_time(100)
        made.visit("after")
    passed = [Routing.TRUSTED_PASS]
    assert [routings(made, visit) for visit in ("before", "between", "after")] == [passed, passed, passed]


def asked(made: History) -> str:
    """The slot that is open."""
    slots = {one.slot_id: isinstance(one, SlotOpen) for one in made.line.slots()}
    return next(name for name, is_open in slots.items() if is_open)


def taken_back(made: History) -> None:
    """Only what was decided in between was taken back, people are asked, and the balance closes."""
    passed = [Routing.TRUSTED_PASS]
    assert [routings(made, visit) for visit in ("before", "after")] == [passed, passed]
    given, back = made.line.dispositions("between")
    assert (given.routing, back.routing, back.causes, back.final) == (*passed, Routing.DIVERTED, (Cause.FAULT,), False)
    assert back.alarm
    assert all(in_words(one, "de") for one in back.reasons_coded)
    made.heartbeat()
    made.pass_time(ANSWERED_MS)
    assert len(made.line.dispositions("between")) == 2
    report = balance_records(made.records(), made.now_ms(), partitions=made.counts())
    assert (report.findings, report.taken_back, report.waiting) == ((), ("between",), 1)
    made.decide(asked(made), covers=("between.top",))
    made.pass_time(UNDO_MS + 1_000)
    assert made.line.dispositions("between")[-1].outcome is None, "the side was not looked at"
    made.decide(asked(made), covers=("between.top", "between.side"), actor="ben")
    made.pass_time(UNDO_MS + 1_000)
    assert made.line.dispositions("between")[-1].outcome is Outcome.ACCEPT


@pytest.mark.parametrize(("mode", "more"), WITHHELD.values(), ids=WITHHELD)
def test_a_pass_is_taken_back_where_its_line_is_learnt_to_have_been_locked_or_out_of_production(
    made: History, mode: LineMode, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    decided_unknowing(made, monkeypatch, mode=mode, **more)
    made.turn()
    taken_back(made)


def test_an_heir_takes_back_a_pass_whose_owner_ended_before_it_learnt_of_the_lock(
    made: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided_unknowing(made, monkeypatch, locks=(LOCK,))
    made.router.close()
    made.router = made.line.router()
    turn_until_owned(made.line, made.router)
    made.turn()
    taken_back(made)


def test_a_process_that_stood_still_takes_back_what_it_passed_before_it_learnt_of_the_lock(
    made: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided_unknowing(made, monkeypatch, locks=(LOCK,))
    with monkeypatch.context() as away:
        away.setattr(made.router.states, "refresh", no_answer)
        made.pass_time(10 * ANSWERED_MS)
        assert len(made.line.dispositions("between")) == 1
    made.turn()
    taken_back(made)


def no_answer() -> None:
    raise BrokerUnavailable("no answer")


def test_a_check_that_is_due_ends_the_passing_by_itself(made: History) -> None:
    made.line.tell_state(valid_until_ms=made.now_ms() + 60_000)
    made.visit("v1")
    made.pass_time(60_000)
    made.visit("v2")
    assert (routings(made, "v1"), routings(made, "v2")) == ([Routing.TRUSTED_PASS], [Routing.DIVERTED])
    assert unsafe(made) == ()


def test_who_releases_a_part_of_a_locked_line_has_looked_at_every_picture(made: History) -> None:
    made.line.tell_state(locks=(LOCK,))
    made.visit("v1")
    made.decide("v1.r0.g0", covers=("v1.top",))
    made.pass_time(UNDO_MS + 1_000)
    assert made.line.dispositions("v1")[-1].outcome is None, "the side was not looked at"
    made.decide("v1.r0.g1", covers=("v1.top", "v1.side"), actor="ben")
    made.pass_time(UNDO_MS + 1_000)
    assert made.line.dispositions("v1")[-1].outcome is Outcome.ACCEPT


def test_a_reject_stays_one_and_says_the_lock_beside_it(made: History) -> None:
    made.line.tell_state(LineMode.STOPPED)
    made.visit("v1", verdict=Verdict.NG)
    (routed,) = made.line.dispositions("v1")
    assert routed.routing is Routing.REJECTED
    assert any("stopped" in reason for reason in routed.reasons)


def test_nobody_told_a_state_and_one_from_a_clock_ahead() -> None:
    assert str(against_state(None, T0)) == "nobody has told the state that the line is in"
    broker = MemoryBroker(ManualClock(now_ms=T0))
    provision_topics(broker.admin(), Namespace("line1"), 2)
    watch = LineWatch(StateBook(broker, Namespace("line1")), broker.clock)
    assert watch.withheld("line1", T0) is not None


def test_a_state_that_can_not_be_renewed_is_not_believed() -> None:
    clock = ManualClock(now_ms=T0)
    state = LineState(line_id="line1", mode=LineMode.PRODUCTION, since_ms=1, actor="ann")

    class Away:
        """A book whose broker is away."""

        def refresh(self) -> None:
            raise BrokerUnavailable("no answer")

        def state(self, _line: str, _at_ms: int) -> LineState:
            return state

    watch = LineWatch(Away(), clock)  # type: ignore[arg-type]  # what it asks of a book
    assert watch.withheld("line1", T0) is None
    clock.advance(5.5)
    watch.look()
    assert "could not be renewed" in str(watch.withheld("line1", T0))


def test_a_pass_is_asked_about_once_and_again_only_where_a_state_was_learnt() -> None:
    lines = Mock(spec=LineWatch, is_fresh=True, heard=1, **{"against_decided.return_value": None})
    passes = GivenPasses(Mock(spec=BrokerTime, **{"now_ms.return_value": T0}), lines)
    for count in (1, 2):
        passes.decided([Mock(spec=Disposition, visit_id=f"v{count}", line_id="line1", decided_ms=T0)])
        passes.check()
        passes.check()
        assert lines.against_decided.call_count == count
    lines.heard = 2
    passes.check()
    assert lines.against_decided.call_count == 4
