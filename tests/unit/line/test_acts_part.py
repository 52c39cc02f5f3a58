"""The line's process takes a changeover from step to step by what cameras, workers, route and inspect say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from linewarden_domain.changing_over import begin_check, change_over, release
from linewarden_domain.line_acts import begin_bypass, tell, unlock
from linewarden_domain.line_situation import LineSituation, Who, Work
from linewarden_line.bootstrap import acts_part
from linewarden_line.process import LineProcess
from linewarden_runtime.acting import act_on_line, look_at_line
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.events import event_record
from linewarden_runtime.provision import activation_record, provision_topics, recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.alarm import LineWord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.changeover import LoadedRecipe, WorkerHeartbeat
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, ChannelSignal, LineState
from linewarden_schemas.recipe import CheckRules, MasterPart, Recipe
from linewarden_schemas.vocabulary import (
    ChangeoverStage,
    ChannelWord,
    CheckOutcome,
    LineMode,
    LockCause,
    Role,
    Routing,
    Verdict,
)
from tests.unit.route.builders import T0, make_capture, make_inspection, make_recipe

NAMESPACE = Namespace("line1")
ANN, LEA = Who("ann"), Who("lea", Role.LEAD)
RULES = CheckRules(
    masters=(MasterPart(part_id="M-good"), MasterPart(part_id="M-bad", ng_views=("side",))),
    within_ms=60_000,
    every_ms=3_600_000,
    every_parts=5,
)
OLD = make_recipe()
NEW = make_recipe().model_copy(update={"version": 2, "check": RULES})


class Plant:
    """A line on the broker in memory with the line's process, and what the others around it say."""

    def __init__(self, recipe: Recipe = NEW) -> None:
        self.clock = ManualClock(now_ms=T0)
        self.broker = MemoryBroker(self.clock)
        provision_topics(self.broker.admin(), NAMESPACE, 2)
        self.new, self._stack, self.is_dead = recipe, ExitStack(), False
        for record in (
            recipe_record(NAMESPACE, OLD, "/test"),
            recipe_record(NAMESPACE, recipe, "/test"),
            activation_record(
                NAMESPACE, Activation(line_id="line1", recipe=OLD.ref(), from_ms=T0 - 1, actor="ann"), "/test"
            ),
        ):
            self.broker.append(record)
        self.act(tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)
        self.process = self._start()

    def _start(self) -> LineProcess:
        part = acts_part(self.broker, NAMESPACE, "line1", self.clock, self._stack)
        about = LineWord(line_id="line1", epoch=0, since_ms=0, at_ms=0, instance="test")
        process = self._stack.enter_context(LineProcess(self.broker, NAMESPACE, about, [part], self.clock, poll_s=0.0))
        process.start()
        return process

    def dead(self) -> None:
        self._stack.close()
        self.is_dead = True

    def restart(self) -> None:
        self._stack.close()
        self.process, self.is_dead = self._start(), False

    def close(self) -> None:
        self._stack.close()

    def act(self, what: Any, *given: Any, **named: Any) -> tuple[Message, ...]:
        self.clock.advance(1.0)
        return act_on_line(
            self.broker, NAMESPACE, "line1", lambda line, _: what(line, *given, **named), "/test", self.clock.now_ms
        )

    def later(self, s: float) -> None:
        """Time goes by in steps in which the process looks."""
        for _ in range(round(s)):
            self.clock.advance(1.0)
            self.turn()

    def turn(self) -> None:
        for _ in range(0 if self.is_dead else 3):
            self.process.step()

    def send(self, topic: str, key: str, message: Message) -> None:
        now_ms = self.clock.now_ms()
        record = event_record(
            NAMESPACE.topic(topic), key, message, id=f"{key}.{now_ms}", source="/test", time_ms=now_ms, partition=0
        )
        self.broker.append(record)

    def beat(self, camera: str, recipe: Recipe | None, **more: Any) -> None:
        """A camera says what it would pin."""
        state = self.line.state
        assert state is not None
        fields: dict[str, Any] = {
            "line_id": "line1",
            "station_id": "s1",
            "camera_id": camera,
            "spool_epoch": 1,
            "last_sequence": 7,
            "at_ms": self.clock.now_ms(),
            "view_id": camera.removeprefix("cam-"),
            "recipe": None if recipe is None else recipe.ref(),
            "line_state": state.ref(),
        }
        self.send("captures", camera, CameraHeartbeat(**(fields | more)))

    def worker(self, recipe: Recipe, problem: str | None = None, name: str = "gpu0", *, leaving: bool = False) -> None:
        loaded = LoadedRecipe(line_id="line1", recipe=recipe.ref(), problem=problem)
        beat = WorkerHeartbeat(worker=name, at_ms=self.clock.now_ms(), loaded=(loaded,), leaving=leaving)
        self.send("workers", name, beat)

    def all_acknowledge(self) -> None:
        for camera in ("cam-top", "cam-side"):
            self.beat(camera, self.new)
        self.worker(self.new)
        self.turn()

    def visit(self, name: str, part: str | None = None, *, state: LineState | None = None, **verdicts: Verdict) -> None:
        """A visit is captured under a state, that of now by default, and its views get their verdicts."""
        state = state or self.state
        self.clock.advance(0.1)
        now_ms, recipe = self.clock.now_ms(), self.line.active
        assert recipe is not None
        for view in ("top", "side"):
            pins: dict[str, Any] = {"recipe": recipe.recipe, "at_ms": now_ms}
            self.send("captures", name, make_capture(view, name, part_id=part, line_state=state.ref(), **pins))
            if view in verdicts:
                self.send("inspections", name, make_inspection(view, name, verdict=verdicts[view], **pins))
        self.turn()

    def masters(self) -> None:
        self.visit("m1", "M-good", top=Verdict.OK, side=Verdict.OK)
        self.visit("m2", "M-bad", top=Verdict.OK, side=Verdict.NG)

    def route(self, name: str, routing: Routing = Routing.TRUSTED_PASS) -> None:
        state, now_ms = self.line.state, self.clock.now_ms()
        assert state is not None
        told = Disposition(
            visit_id=name,
            revision=0,
            routing=routing,
            final=True,
            line_id="line1",
            recipe=OLD.ref(),
            line_state=state.ref(),
            first_captured_ms=now_ms,
            decide_by_ms=now_ms + 10_000,
            decided_ms=now_ms,
        )
        self.send("dispositions", name, told)

    @property
    def line(self) -> LineSituation:
        return look_at_line(self.broker, NAMESPACE, "line1", self.clock.now_ms())

    @property
    def state(self) -> LineState:
        state = self.line.state
        assert state is not None
        return state

    def stage(self) -> ChangeoverStage:
        change = self.line.changeover
        assert change is not None
        return change.stage

    @property
    def waits(self) -> tuple[str, ...]:
        change = self.line.changeover
        assert change is not None
        return change.waiting_for

    @property
    def locks(self) -> list[LockCause]:
        return [one.cause for one in self.state.locks]


@pytest.fixture
def plant() -> Iterator[Plant]:
    made = Plant()
    yield made
    made.close()


def produced(plant: Plant) -> None:
    """Changed over to the new recipe, checked and released."""
    plant.act(change_over, ANN, plant.new, Work("PO-2"))
    plant.all_acknowledge()
    plant.later(3)
    plant.act(begin_check, ANN)
    plant.turn()
    plant.masters()
    plant.later(1)
    plant.act(release, LEA, is_purged=True)


def test_a_changeover_goes_on_by_what_the_others_say_and_not_before(plant: Plant) -> None:
    plant.visit("old")
    plant.act(change_over, ANN, NEW, Work("PO-2"))
    plant.later(1)
    assert plant.stage() is ChangeoverStage.REQUESTED
    assert "camera cam-top of view top is not heard" in plant.waits
    assert "no inspect worker is heard" in plant.waits
    plant.beat("cam-top", NEW)
    plant.beat("cam-side", OLD)
    plant.worker(NEW, "its bundle is being loaded")
    plant.later(1)
    assert set(plant.waits) == {
        f"camera cam-side has {OLD.ref().short}",
        "worker gpu0: its bundle is being loaded",
    }
    plant.all_acknowledge()
    plant.worker(OLD, name="gpu1")
    plant.later(1)
    assert plant.waits == (f"worker gpu1 has {OLD.ref().short}",)
    plant.worker(OLD, name="gpu1", leaving=True)
    plant.later(1)
    assert (plant.stage(), plant.waits) == (ChangeoverStage.ACKNOWLEDGED, ("1 visits of before are not decided",))
    plant.route("old", Routing.REJECTED)
    plant.later(3)
    assert plant.stage() is ChangeoverStage.CLEARED
    plant.act(begin_check, ANN)
    plant.turn()
    plant.masters()
    plant.later(1)
    assert plant.stage() is ChangeoverStage.CHECKED
    check = plant.line.check
    assert check is not None
    assert (check.outcome, len(check.answers)) == (CheckOutcome.PASSED, 4)
    assert not plant.state.passes()
    plant.act(release, LEA, is_purged=True)
    assert plant.state.passes(plant.clock.now_ms())
    plant.later(5)
    assert (plant.state.passes(plant.clock.now_ms()), plant.locks) == (True, [])


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [({"top": Verdict.OK, "side": Verdict.OK}, CheckOutcome.FAILED), ({"top": Verdict.OK}, CheckOutcome.MISSING)],
    ids=["a defect that it must see", "a view that does not come"],
)
def test_a_master_part_without_its_verdict_locks_the_line(
    plant: Plant, wrong: dict[str, Any], outcome: CheckOutcome
) -> None:
    produced(plant)
    good = plant.line.good
    plant.later(60)
    plant.act(begin_check, ANN)
    plant.turn()
    plant.visit("m3", "M-good", top=Verdict.OK, side=Verdict.OK)
    plant.visit("m4", "M-bad", **wrong)
    plant.later(70)
    check = plant.line.check
    assert check is not None
    assert good is not None
    assert (check.outcome, check.contain_from_ms) == (outcome, good.at_ms)
    assert plant.locks == [LockCause.CHECK_FAILED if outcome is CheckOutcome.FAILED else LockCause.CHECK_OVERDUE]


def test_a_check_under_way_goes_on_over_a_restart_with_the_masters_that_were_seen_before(plant: Plant) -> None:
    produced(plant)
    plant.later(60)
    plant.act(begin_check, ANN)
    plant.turn()
    plant.visit("m3", "M-good", top=Verdict.OK, side=Verdict.OK)
    plant.restart()
    plant.later(1)
    plant.visit("m4", "M-bad", top=Verdict.OK, side=Verdict.NG)
    plant.later(1)
    check = plant.line.check
    assert check is not None
    assert check.outcome is CheckOutcome.PASSED
    assert {one.visit_id for one in check.answers} == {"m3", "m4"}
    assert (plant.state.passes(plant.clock.now_ms()), plant.locks) == (True, [])


def test_a_wrong_verdict_that_came_before_a_restart_still_locks_the_line(plant: Plant) -> None:
    produced(plant)
    plant.act(begin_check, ANN)
    plant.restart()
    plant.visit("m3", "M-good", top=Verdict.OK, side=Verdict.OK)
    plant.visit("m4", "M-bad", top=Verdict.OK, side=Verdict.OK)
    plant.restart()
    plant.visit("m5", "M-bad", top=Verdict.OK, side=Verdict.NG)
    plant.later(1)
    check = plant.line.check
    assert check is not None
    assert check.outcome is CheckOutcome.FAILED
    assert plant.locks == [LockCause.CHECK_FAILED]


def test_a_master_that_comes_after_the_time_while_nobody_keeps_the_line_does_not_count(plant: Plant) -> None:
    produced(plant)
    plant.act(begin_check, ANN)
    plant.turn()
    plant.visit("m3", "M-good", top=Verdict.OK, side=Verdict.OK)
    plant.clock.advance(70.0)
    plant.dead()
    plant.visit("m4", "M-bad", top=Verdict.OK, side=Verdict.NG)
    plant.restart()
    plant.later(1)
    check = plant.line.check
    assert check is not None
    assert check.outcome is CheckOutcome.MISSING
    assert plant.locks == [LockCause.CHECK_OVERDUE]


def test_masters_without_serials_are_known_by_their_order() -> None:
    in_order = RULES.model_copy(update={"in_order": True})
    plant = Plant(NEW.model_copy(update={"check": in_order}))
    plant.act(change_over, ANN, plant.new, Work())
    plant.all_acknowledge()
    plant.later(3)
    plant.act(begin_check, ANN)
    plant.turn()
    plant.visit("m1", top=Verdict.OK, side=Verdict.OK)
    plant.visit("m2", top=Verdict.OK, side=Verdict.NG)
    plant.later(1)
    assert plant.stage() is ChangeoverStage.CHECKED
    plant.close()


def test_a_master_that_comes_before_its_camera_knows_of_the_check_counts_and_another_part_does_not(
    plant: Plant,
) -> None:
    produced(plant)
    before = plant.state
    plant.act(begin_check, ANN)
    plant.turn()
    for name, part, side in (("m3", "M-good", Verdict.OK), ("m4", "M-bad", Verdict.NG), ("v1", "SN-1", Verdict.NG)):
        plant.visit(name, part, state=before, top=Verdict.OK, side=side)
    plant.later(1)
    check = plant.line.check
    assert check is not None
    assert check.outcome is CheckOutcome.PASSED
    assert plant.state.passes(plant.clock.now_ms())


def test_parts_are_counted_from_the_last_good_check_over_a_restart(plant: Plant) -> None:
    produced(plant)
    plant.later(1)
    for number in range(3):
        plant.route(f"v{number}")
    plant.later(1)
    plant.restart()
    plant.later(2)
    assert plant.locks == []
    for number in range(3, 5):
        plant.route(f"v{number}")
    plant.later(2)
    assert plant.locks == [LockCause.CHECK_OVERDUE]
    assert plant.line.check is not None
    assert plant.line.check.outcome is CheckOutcome.MISSING


def test_a_bypass_that_nobody_ends_locks_the_line(plant: Plant) -> None:
    plant.act(begin_bypass, ANN, "ben", plant.clock.now_ms() + 10_000, "camera broken")
    plant.later(12)
    assert plant.locks == [LockCause.BYPASS_ELAPSED]


def test_a_word_of_the_side_channel_stops_and_starts_and_lifts_no_lock(plant: Plant) -> None:
    def says(word: ChannelWord) -> None:
        plant.clock.advance(1.0)
        signal = ChannelSignal(word=word, at_ms=plant.clock.now_ms())
        plant.beat("cam-top", OLD, signal=signal)
        plant.beat("cam-side", OLD, signal=signal)
        plant.later(1)

    says(ChannelWord.STOP)
    assert plant.state.mode is LineMode.STOPPED
    says(ChannelWord.START)
    assert plant.state.passes()
    plant.act(begin_bypass, ANN, "ben", plant.clock.now_ms() + 2_000, "camera broken")
    plant.later(4)
    says(ChannelWord.STOP)
    says(ChannelWord.START)
    assert plant.locks == [LockCause.BYPASS_ELAPSED]
    plant.act(tell, ANN, LineMode.PRODUCTION, Work(), has_gate=False)
    says(ChannelWord.STOP)
    says(ChannelWord.START)
    assert (plant.state.mode, plant.state.passes()) == (LineMode.PRODUCTION, False)
    plant.act(unlock, LEA, "looked at it")
    assert plant.state.passes()
