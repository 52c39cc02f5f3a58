"""What may be done with a line and what may not, whoever asks; no act opens it while something speaks against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from linewarden_domain.changing_over import (
    begin_check,
    change_over,
    end_check,
    overdue,
    release,
    step_on,
    withdraw,
)
from linewarden_domain.line_acts import begin_bypass, end_bypass, lock, signalled, tell, unlock
from linewarden_domain.line_situation import LineRefusal, LineSituation, Who, Work
from linewarden_domain.words import said
from linewarden_schemas.base import Message
from linewarden_schemas.changeover import Changeover, MasterAnswer, MasterCheck
from linewarden_schemas.line import Activation, ChannelSignal, LineState
from linewarden_schemas.recipe import CheckRules, MasterPart, Recipe
from linewarden_schemas.vocabulary import (
    ChangeoverStage,
    ChannelWord,
    CheckOutcome,
    CheckReason,
    LineMode,
    LockCause,
    Role,
    Verdict,
)
from tests.unit.route.builders import T0, make_recipe

HOUR = 3_600_000
ANN, LEA = Who("ann"), Who("lea", Role.LEAD)
RULES = CheckRules(masters=(MasterPart(part_id="good"), MasterPart(part_id="bad", ng_views=("top",))), every_ms=HOUR)
OLD = make_recipe()
NEW = make_recipe().model_copy(update={"version": 2, "check": RULES})


class Line:
    """A line to which things are done one after the other, each a second later."""

    def __init__(self, recipe: Recipe = OLD) -> None:
        self.recipes = {one.ref().name: one for one in (OLD, NEW)}
        active = Activation(line_id="line1", recipe=recipe.ref(), from_ms=T0, actor="ann")
        self.now = LineSituation("line1", T0 + 1_000, active=active, recipe=recipe)
        self.told: list[Message] = []

    def do(self, act: Callable[..., Sequence[Message]], *given: Any, **named: Any) -> tuple[Message, ...]:
        told = tuple(act(self.now, *given, **named))
        for one in told:
            self.told.append(type(one).from_json(one.to_json()))
            match one:
                case LineState():
                    self.now = replace(self.now, state=one)
                case Activation():
                    self.now = replace(self.now, active=one, recipe=self.recipes[one.recipe.name])
                case Changeover():
                    self.now = replace(self.now, changeover=one)
                case MasterCheck():
                    is_good = one.outcome is CheckOutcome.PASSED
                    self.now = replace(self.now, check=one, good=one if is_good else self.now.good)
        self.later(1_000)
        return told

    def later(self, ms: int) -> None:
        self.now = replace(self.now, now_ms=self.now.now_ms + ms)

    def produce(self) -> None:
        self.do(tell, ANN, LineMode.PRODUCTION, Work("PO-1"), has_gate=True)

    def checked(self) -> None:
        """The master parts get their verdicts."""
        self.do(begin_check, ANN)
        self.do(end_check, CheckOutcome.PASSED, ())

    @property
    def state(self) -> LineState:
        assert self.now.state is not None
        return self.now.state

    def passes(self) -> bool:
        return self.state.passes(self.now.now_ms)

    def stage(self) -> ChangeoverStage | None:
        return None if self.now.changeover is None else self.now.changeover.stage

    @property
    def locks(self) -> list[LockCause]:
        return [one.cause for one in self.state.locks]


def refused(line: Line, act: Callable[..., Sequence[Message]], *given: Any, **named: Any) -> str:
    with pytest.raises(LineRefusal) as refusal:
        act(line.now, *given, **named)
    return str(refusal.value)


def changed_over(line: Line) -> None:
    line.do(change_over, ANN, NEW, Work("PO-2"))
    line.do(step_on, ChangeoverStage.CLEARED)


def test_a_lock_stays_whatever_state_is_told_until_a_lead_lifts_it() -> None:
    line = Line()
    line.produce()
    assert line.passes()
    line.do(lock, ANN, LockCause.PERSON, "oil on the lens")
    for mode in (LineMode.STOPPED, LineMode.SETUP, LineMode.PRODUCTION):
        line.do(tell, ANN, mode, Work(), has_gate=True)
        assert (line.passes(), line.locks) == (False, [LockCause.PERSON])
    for role in (None, *(role for role in Role if role is not Role.LEAD)):
        assert "only a lead" in refused(line, unlock, Who("ben", role), "cleaned")
    assert "say why" in refused(line, unlock, LEA, " ")
    assert "nothing is locked on line1 because an alarm" in refused(line, unlock, LEA, "cleaned", LockCause.ALARM)
    line.do(unlock, LEA, "cleaned")
    assert line.passes()
    (lifted,) = line.state.lifted
    assert (lifted.cause, lifted.actor, lifted.lifted_by, lifted.lifted_reason) == (
        LockCause.PERSON, "ann", "lea", "cleaned"
    )  # fmt: skip
    assert line.do(lock, ANN, LockCause.PERSON)
    assert line.do(lock, ANN, LockCause.PERSON) == (), "it is locked already"


def test_a_changeover_passes_nothing_before_it_is_released_step_by_step() -> None:
    line = Line()
    line.produce()
    line.do(change_over, ANN, NEW, Work("PO-2"), "next order")
    assert (line.state.mode, line.state.order_id, line.now.recipe) == (LineMode.VERIFICATION, "PO-2", NEW)
    assert line.state.has_gate, "what is not told stays"
    assert "being changed over" in refused(line, tell, ANN, LineMode.PRODUCTION, Work(), has_gate=True)
    assert "being changed over" in refused(line, change_over, ANN, OLD, Work())
    waiting = step_on(line.now, ChangeoverStage.REQUESTED, waiting_for=[said("wait_recipe")])
    assert len(waiting) == 1
    assert "requested" in refused(line, begin_check, ANN)
    for stage in (ChangeoverStage.ACKNOWLEDGED, ChangeoverStage.CLEARED):
        line.do(step_on, stage)
        assert "has to be checked" in refused(line, release, LEA, is_purged=True)
    assert line.do(step_on, ChangeoverStage.CLEARED) == (), "known already"
    line.do(begin_check, ANN)
    assert "under way" in refused(line, begin_check, ANN)
    line.do(end_check, CheckOutcome.PASSED, ())
    assert line.stage() is ChangeoverStage.CHECKED
    assert not line.passes()
    assert "only a lead" in refused(line, release, ANN, is_purged=True)
    assert "purged" in refused(line, release, LEA, is_purged=False)
    line.do(lock, ANN, LockCause.ALARM)
    assert "locked" in refused(line, release, LEA, is_purged=True)
    line.do(unlock, LEA, "cleared")
    line.do(release, LEA, is_purged=True)
    assert (line.passes(), line.state.changeover_id) == (True, None)
    assert line.stage() is ChangeoverStage.RELEASED
    assert line.now.changeover is not None
    assert line.now.changeover.purged_by == "lea"
    assert line.now.good is not None
    assert line.state.valid_until_ms == line.now.good.next_due_ms


@pytest.mark.parametrize("outcome", [CheckOutcome.FAILED, CheckOutcome.MISSING])
def test_a_failed_or_missing_check_locks_and_names_what_to_contain(outcome: CheckOutcome) -> None:
    line = Line()
    changed_over(line)
    line.checked()
    line.do(release, LEA, is_purged=True)
    good = line.now.good
    assert good is not None
    line.do(begin_check, ANN)
    wrong = MasterAnswer(part_id="bad", view_id="top", expected=Verdict.NG, verdict=Verdict.OK)
    ended, *_ = line.do(end_check, outcome, (wrong,))
    assert isinstance(ended, MasterCheck)
    assert ended.contain_from_ms == good.at_ms
    assert ended.contain_to_ms == ended.at_ms
    assert not line.passes()
    assert line.locks == [LockCause.CHECK_FAILED if outcome is CheckOutcome.FAILED else LockCause.CHECK_OVERDUE]
    assert "bad, view top: NG was expected, and OK came" in str(line.state.locks[0].detail)
    assert outcome.value in refused(line, tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)
    line.do(unlock, LEA, "the lamp was changed")
    assert outcome.value in refused(line, tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)
    line.checked()
    line.produce()
    assert line.passes()


def test_a_check_that_fails_in_a_changeover_ends_it() -> None:
    line = Line()
    changed_over(line)
    line.do(begin_check, ANN)
    assert line.now.check is not None
    assert line.now.check.why is CheckReason.CHANGEOVER
    line.do(end_check, CheckOutcome.FAILED, ())
    assert line.stage() is ChangeoverStage.FAILED
    assert line.state.changeover_id is None
    changed_over(line)
    line.checked()
    assert "locked" in refused(line, release, LEA, is_purged=True)


def test_the_recurring_check_returns_to_production_and_is_overdue_by_time_or_count() -> None:
    line = Line()
    changed_over(line)
    line.checked()
    line.do(release, LEA, is_purged=True)
    line.later(HOUR // 2)
    line.checked()
    assert line.passes(), "the line came from production"
    assert line.do(overdue) == ()
    line.later(HOUR)
    assert not line.passes(), "also where nobody says so"
    _, missing = line.do(overdue)
    assert isinstance(missing, MasterCheck)
    assert (missing.outcome, missing.why, line.locks) == (
        CheckOutcome.MISSING, CheckReason.HOURS, [LockCause.CHECK_OVERDUE]
    )  # fmt: skip
    assert line.do(overdue) == (), "once"
    assert "make the check" in refused(line, unlock, LEA, "never mind")
    line.checked()
    line.do(unlock, LEA, "checked")
    assert line.passes()
    counted = NEW.model_copy(update={"check": RULES.model_copy(update={"every_parts": 10})})
    line.now = replace(line.now, recipe=counted)
    assert overdue(line.now, 9) == ()
    line.do(overdue, 10)
    assert line.locks == [LockCause.CHECK_OVERDUE]


def test_production_needs_a_good_check_of_the_very_recipe_since_it_is_active() -> None:
    line = Line(NEW)
    assert "no check" in refused(line, tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)
    line.checked()
    line.produce()
    assert line.passes()
    again = Activation(line_id="line1", recipe=NEW.ref(), from_ms=line.now.now_ms, actor="ann")
    line.now = replace(line.now, active=again)
    assert "no check" in refused(line, tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)
    line.do(overdue)
    assert line.locks == [LockCause.CHECK_OVERDUE], "activated without a changeover"


def test_a_bypass_has_a_person_a_reason_and_an_end_and_locks_where_it_is_left_open() -> None:
    line = Line()
    line.produce()
    assert "bypass begin" in refused(line, tell, ANN, LineMode.BYPASS, Work(), has_gate=False)
    soon = line.now.now_ms + HOUR
    assert "who turned the plant's key" in refused(line, begin_bypass, ANN, "ben", soon, " ")
    for wrong in (line.now.now_ms, line.now.now_ms + 25 * HOUR):
        assert "ends within 24 h" in refused(line, begin_bypass, ANN, "ben", wrong, "camera broken")
    line.do(begin_bypass, ANN, "ben", soon, "camera broken")
    assert (line.passes(), line.state.key_holder, line.state.reason) == (False, "ben", "camera broken")
    line.do(end_bypass, ANN)
    assert (line.state.mode, line.locks, line.state.key_holder) == (LineMode.STOPPED, [], None)
    assert "not in bypass" in refused(line, end_bypass, ANN)
    line.do(begin_bypass, ANN, "ben", line.now.now_ms + HOUR, "camera broken")
    line.later(HOUR)
    line.do(tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)
    assert (line.passes(), line.locks) == (False, [LockCause.BYPASS_ELAPSED]), (
        "also where nobody had looked at the clock"
    )


def test_the_side_channel_starts_what_it_stopped_and_lifts_nothing() -> None:
    line = Line()
    line.produce()

    def says(word: ChannelWord) -> tuple[Message, ...]:
        return line.do(signalled, ChannelSignal(word=word, at_ms=line.now.now_ms))

    assert says(ChannelWord.START) == ()
    says(ChannelWord.STOP)
    assert (line.state.mode, line.passes()) == (LineMode.STOPPED, False)
    assert says(ChannelWord.STOP) == ()
    says(ChannelWord.START)
    assert line.passes()
    says(ChannelWord.STOP)
    line.do(lock, ANN, LockCause.ALARM)
    says(ChannelWord.START)
    assert (line.state.mode, line.passes(), line.locks) == (LineMode.PRODUCTION, False, [LockCause.ALARM])
    line.do(unlock, LEA, "looked at")
    line.do(tell, ANN, LineMode.STOPPED, Work(), has_gate=False)
    assert says(ChannelWord.START) == (), "a person stopped it"
    old = ChannelSignal(word=ChannelWord.STOP, at_ms=line.state.since_ms - 1)
    line.produce()
    assert line.do(signalled, old) == (), "said before the state was told"


def test_a_withdrawn_changeover_leaves_the_line_where_it_is() -> None:
    line = Line()
    assert "no changeover" in refused(line, withdraw, ANN)
    changed_over(line)
    line.do(withdraw, ANN, "wrong order")
    assert (line.state.mode, line.state.changeover_id) == (LineMode.VERIFICATION, None)
    assert "no check" in refused(line, tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)


def test_a_recipe_without_master_parts_has_no_check() -> None:
    assert "names no master parts" in refused(Line(), begin_check, ANN)
