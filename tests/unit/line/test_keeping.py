"""The line's process on a broker in memory: what others write becomes alarms, and people's requests their steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from linewarden_line.alarms.limits import AlarmLimits
from linewarden_line.bootstrap import alarm_part
from linewarden_line.process import LineProcess
from linewarden_line.settings import LineKeeping
from linewarden_runtime.alarm_book import AlarmBook, request_record
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import Fenced, TransactionFailed
from linewarden_runtime.events import event_record
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.testing.faults import Fault
from linewarden_schemas.alarm import Alarm, AlarmRequest, LineWord, alarm_id
from linewarden_schemas.alarm_vocabulary import AlarmDemand, AlarmDoing, AlarmKind, AlarmStage, AlarmStep
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.disposition import Disposition, SlotOpen
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection, Location
from linewarden_schemas.line import LineStateRef
from linewarden_schemas.operations import Actuation, Balance, DeadLetter, OutputState
from linewarden_schemas.samples import SAMPLES
from linewarden_schemas.vocabulary import CameraCondition, Cause, LineMode, Routing, Undecidable, Verdict

NS = Namespace("line1")
K = AlarmKind
PLACE = Location(shift_x_px=1.0, shift_y_px=0.0, turn_deg=0.0, score=0.9, error_px=0.1, error_deg=0.1)
LIMITS = AlarmLimits(rejects_in_a_row=3, rejects_most=4, rejects_window=6)


_M = TypeVar("_M")


def sample(kind: type[_M]) -> _M:
    return next(one for one in SAMPLES if isinstance(one, kind))


@dataclass
class Line:
    """A broker, and one process after another of the line."""

    clock: ManualClock = field(default_factory=ManualClock)
    limits: AlarmLimits = LIMITS
    visits: int = 0

    def __post_init__(self) -> None:
        self.broker = MemoryBroker(self.clock)
        with self.broker.admin() as admin:
            provision_topics(admin, NS, 2)
        self.producer = self.broker.producer()

    @contextmanager
    def process(self, epoch: int = 0) -> Iterator[LineProcess]:
        options = LineKeeping(line_id="line1", alarms=self.limits)
        about = LineWord(line_id="line1", epoch=epoch, since_ms=0, at_ms=0, instance="here")
        with ExitStack() as stack:
            part = alarm_part(self.broker, NS, options, self.clock, stack)
            yield stack.enter_context(LineProcess(self.broker, NS, about, [part], self.clock, poll_s=0.01))

    @contextmanager
    def running(self) -> Iterator[LineProcess]:
        with self.process() as process:
            process.start()
            yield process

    def send(self, topic: str, key: str, message: Message, name: str = "x") -> None:
        record = event_record(NS.topic(topic), key, message, id=name, source="/line1/test", time_ms=self.clock.now_ms())
        self.producer.send(record).result(10)

    def steps(self, process: LineProcess, seconds: float = 0.0) -> None:
        for _ in range(max(4, round(seconds / 2))):
            process.step()
            self.clock.advance(seconds / max(4, round(seconds / 2)))
        process.step()

    def book(self) -> AlarmBook:
        return AlarmBook(self.broker, NS, 0)

    def alarm(self, kind: AlarmKind, subject: str | None = None) -> Alarm | None:
        with self.book() as book:
            return next((one for one in book.alarms() if one.alarm_id == alarm_id("line1", kind, subject)), None)

    def standing(self) -> dict[str, AlarmStage]:
        with self.book() as book:
            return {
                one.alarm_id.removeprefix("line1."): one.stage
                for one in book.alarms()
                if one.stage is not AlarmStage.NORMAL
            }

    def ask(self, doing: AlarmDoing, kind: AlarmKind, subject: str | None = None, **more: int) -> None:
        request = AlarmRequest(
            request_id=f"r{self.clock.now_ms()}",
            alarm_id=alarm_id("line1", kind, subject),
            line_id="line1",
            doing=doing,
            actor="lead-02",
            at_ms=self.clock.now_ms(),
            **more,  # type: ignore[arg-type]
        )
        self.producer.send(request_record(NS, request, "/test")).result(10)

    def beat(self, *conditions: CameraCondition, camera: str = "cam1", error_ms: int = 0) -> None:
        told = sample(CameraHeartbeat).model_copy(
            update={"camera_id": camera, "conditions": conditions, "clock_error_ms": error_ms, "line_id": "line1"}
        )
        self.send("captures", camera, told)

    def route(self, routing: Routing, cavity: str | None = None, **more: object) -> Disposition:
        self.visits += 1
        changes: dict[str, object] = {
            "visit_id": f"line1.st1.{self.clock.now_ms():013d}.{self.visits:06d}",
            "revision": 0,
            "routing": routing,
            "outcome": None,
            "concession": None,
            "causes": (Cause.LOW_TRUST,) if routing is Routing.DIVERTED else (),
            "reasons": (),
            "reasons_coded": (),
            "alarm": None,
            "cavity": cavity,
            "first_captured_ms": self.clock.now_ms() + self.visits,
            "line_id": "line1",
            "line_state": LineStateRef(mode=LineMode.PRODUCTION, since_ms=0),
        }
        told = sample(Disposition).model_copy(update=changes | more)
        self.send("dispositions", told.visit_id, told)
        return told


def test_a_cameras_condition_becomes_an_alarm_that_a_person_acknowledges_and_that_ends() -> None:
    line = Line()
    with line.running() as process:
        line.beat(CameraCondition.DARK)
        line.steps(process)
        dark = line.alarm(K.CAMERA_DARK, "cam1")
        assert dark is not None
        assert (dark.stage, dark.reason and dark.reason.code) == (
            AlarmStage.UNACKNOWLEDGED,
            "condition.camera_dark",
        )
        line.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_DARK, "cam1", occurrence=1)
        line.steps(process)
        line.beat()
        line.steps(process, 15)
        line.beat()
        line.steps(process, 15)
        line.beat()
        line.steps(process, 10)
        assert line.standing() == {}
    with line.book() as book:
        told = [(one.step, one.actor) for one in book.events()]
        assert told == [(AlarmStep.RAISED, None), (AlarmStep.ACKNOWLEDGED, "lead-02"), (AlarmStep.RETURNED, None)]


def test_a_known_bad_says_nothing_of_the_camera_that_it_looks_like() -> None:
    line = Line()
    with line.running() as process:
        line.beat(CameraCondition.DARK)
        line.steps(process)
        line.beat()
        known_bad = sample(Capture).model_copy(
            update={
                "camera_id": "cam1",
                "line_id": "line1",
                "known_bad": True,
                "conditions": (CameraCondition.BLURRED,),
            }
        )
        line.send("captures", known_bad.visit_id, known_bad)
        line.steps(process, 25)
        # Nothing was heard of the camera itself since, and no picture of it was sharp or not.
        assert set(line.standing()) >= {"camera_silent.cam1"}
        assert "camera_blurred.cam1" not in line.standing()


def test_a_camera_of_which_nothing_is_heard_is_an_alarm_also_where_the_process_was_away_meanwhile() -> None:
    line = Line()
    with line.running() as process:
        line.beat()
        line.steps(process, 5)
        assert line.standing() == {}
    line.clock.advance(60)
    with line.running() as process:
        line.steps(process, 18)
        assert line.standing() == {}
        line.steps(process, 8)
        assert line.standing() == {"camera_silent.cam1": AlarmStage.UNACKNOWLEDGED}
        line.beat()
        line.steps(process, 12)
        assert line.standing() == {"camera_silent.cam1": AlarmStage.RETURNED}


def test_a_backlog_of_heartbeats_is_no_silence() -> None:
    line = Line()
    with line.running() as process:
        line.beat()
        line.steps(process, 5)
    line.clock.advance(50)
    for _ in range(700):  # more than one look brings
        line.beat(camera="cam2")
    line.beat()
    with line.running() as process:
        line.steps(process)
        assert line.standing() == {}
    with line.book() as book:
        assert book.events() == []


def test_rejects_in_a_row_ask_for_a_stop_until_somebody_resets_and_counting_begins_anew() -> None:
    line = Line()
    with line.running() as process:
        for routing in (Routing.REJECTED, Routing.REJECTED, Routing.TRUSTED_PASS, Routing.REJECTED):
            line.route(routing, "c3")
        line.steps(process)
        assert line.standing() == {}
        line.route(Routing.REJECTED, "c3")
        line.steps(process)
        assert line.standing() == {
            "reject_run": AlarmStage.UNACKNOWLEDGED,
            "reject_run.c3": AlarmStage.UNACKNOWLEDGED,
        }
        found = line.alarm(K.REJECT_RUN, "c3")
        assert found is not None
        assert (found.demand, found.detail) == (AlarmDemand.STOP, "4 rejects among the last 6 parts")
        for subject in (None, "c3"):
            line.ask(AlarmDoing.RESET, K.REJECT_RUN, subject)
            line.steps(process)
        assert line.standing() == {}
        line.route(Routing.REJECTED, "c3")
        line.steps(process)
        assert line.standing() == {}
    with line.book() as book:
        load = book.words()["line1"].load
        assert load is not None
        assert load.demand is None


def test_a_run_in_one_cavity_is_seen_between_good_parts_of_the_others() -> None:
    line = Line(limits=AlarmLimits(rejects_in_a_row=3))
    with line.running() as process:
        for _ in range(3):
            line.route(Routing.REJECTED, "c7")
            line.route(Routing.TRUSTED_PASS, "c8")
        line.steps(process)
        assert line.standing() == {"reject_run.c7": AlarmStage.UNACKNOWLEDGED}


def test_a_run_goes_on_over_a_restart_and_counts_parts_in_the_order_of_their_triggers() -> None:
    line = Line(limits=AlarmLimits(rejects_in_a_row=3))
    with line.running() as process:
        line.route(Routing.REJECTED)
        line.route(Routing.REJECTED)
        line.steps(process, 3)
    with line.running() as process:
        line.steps(process)
        assert line.standing() == {}
        line.route(Routing.REJECTED)
        line.steps(process)
        assert line.standing() == {"reject_run": AlarmStage.UNACKNOWLEDGED}


@pytest.mark.parametrize("mode", [LineMode.SETUP, LineMode.VERIFICATION])
def test_rejects_of_master_parts_and_of_set_up_are_no_run(mode: LineMode) -> None:
    line = Line()
    with line.running() as process:
        for _ in range(6):
            line.route(Routing.REJECTED, line_state=LineStateRef(mode=mode, since_ms=0))
        line.steps(process)
        assert "reject_run" not in line.standing()


def test_what_the_gate_did_and_did_not_say_becomes_alarms_by_what_it_means() -> None:
    line = Line()
    gate = "records of this visit name different what the gate was told and did: "
    with line.running() as process:
        for values in ("did trusted_pass, told rejected", "did no report, told trusted_pass"):
            line.route(Routing.DIVERTED, revision=1, alarm="records contradict each other", reasons=(gate + values,))
        line.route(Routing.DIVERTED, revision=1, alarm="a worse view came after revision 0")
        line.route(Routing.DIVERTED, revision=1, alarm="x", reasons=(gate + "did diverted, told trusted_pass",))
        line.route(Routing.DIVERTED, revision=1, alarm="x", reasons=(gate + "did no report, told rejected",))
        line.steps(process)
        assert set(line.standing()) == {"gate_differs", "gate_missing", "visit_revised", "reject_unconfirmed"}
        assert line.standing()["reject_unconfirmed"] is AlarmStage.SUPPRESSED


def test_a_reject_that_no_sensor_saw_asks_for_a_stop() -> None:
    line = Line()
    with line.running() as process:
        told = sample(Actuation).model_copy(update={"intended": Routing.REJECTED, "actual": None})
        line.send("actuations", told.visit_id, told)
        line.steps(process)
        found = line.alarm(K.REJECT_UNCONFIRMED)
        assert found is not None
        assert found.demand is AlarmDemand.STOP


def test_three_passes_in_a_row_that_were_not_let_go_are_an_alarm_and_two_are_none() -> None:
    line = Line()
    with line.running() as process:
        for actual in (Routing.DIVERTED, None, Routing.TRUSTED_PASS, Routing.DIVERTED, Routing.DIVERTED):
            told = sample(Actuation).model_copy(update={"actual": actual})
            line.send("actuations", told.visit_id, told)
            line.steps(process)
            assert "gate_late.plc1" not in line.standing()
        line.send("actuations", "v", sample(Actuation).model_copy(update={"actual": Routing.DIVERTED}))
        line.steps(process)
        assert line.standing() == {"gate_late.plc1": AlarmStage.UNACKNOWLEDGED}


def test_a_bin_that_is_full_and_one_whose_count_differs_ask_for_a_stop() -> None:
    line = Line(limits=AlarmLimits(rejects_in_a_row=0, bins={"rejected": 3}))
    with line.running() as process:
        for _ in range(3):
            line.route(Routing.REJECTED)
        line.steps(process, 3)
        assert line.standing() == {"bin_full.rejected": AlarmStage.UNACKNOWLEDGED}
    with line.running() as process:
        line.ask(AlarmDoing.COUNT, K.BIN_FULL, "rejected", count=3)
        line.steps(process, 12)
        assert line.standing() == {"bin_full.rejected": AlarmStage.RETURNED}
        line.route(Routing.REJECTED)
        line.steps(process)
        line.ask(AlarmDoing.COUNT, K.BIN_FULL, "rejected", count=0)
        line.steps(process)
        assert line.standing()["bin_differs.rejected"] is AlarmStage.UNACKNOWLEDGED


def test_a_bin_whose_sensor_says_full_asks_for_a_stop_until_it_says_otherwise() -> None:
    line = Line()
    rejected = sample(Actuation).model_copy(update={"intended": Routing.REJECTED, "actual": Routing.REJECTED})
    with line.running() as process:
        for is_full, stage in ((None, None), (False, None), (True, "unacknowledged"), (False, "returned")):
            line.send("actuations", "v", rejected.model_copy(update={"bin_full": is_full}))
            line.steps(process, 12)
            assert line.standing() == ({} if stage is None else {"bin_full.rejected": stage}), is_full
        found = line.alarm(K.BIN_FULL, "rejected")
        assert found is not None
        assert found.demand is AlarmDemand.STOP


def unplaced(line: Line, camera: str, *answers: Undecidable | None) -> None:
    """Inspections of a camera, each with why its part was not where it may be; None for a part that was."""
    good = sample(Inspection)
    for number, why in enumerate(answers):
        line.clock.advance(0.01)
        changes = {"verdict": Verdict.NOT_DECIDABLE, "undecidable": why, "location": None}
        told = good.model_copy(
            update={
                "camera_id": camera,
                "line_id": "line1",
                "captured_ms": line.clock.now_ms(),
                **(changes if why else {"location": PLACE}),
            }
        )
        line.send("inspections", f"v{number}", told)


def beaten(line: Line, process: LineProcess) -> None:
    """A camera says for 45 s that it is there, and nothing else."""
    for _ in range(3):
        line.beat(camera="cam2")
        line.steps(process, 15)


def test_a_camera_moved_where_many_in_a_row_do_not_show_their_part_and_the_run_goes_on_over_a_restart() -> None:
    gone, off = Undecidable.PART_NOT_FOUND, Undecidable.PART_MISPLACED
    line = Line(limits=AlarmLimits(camera_moved_after=3))
    with line.running() as process:
        line.beat(camera="cam2")
        unplaced(line, "cam1", gone, off, None, off, gone)
        unplaced(line, "cam2", gone, Undecidable.UNREADABLE, gone)
        line.steps(process, 4)
        assert line.standing() == {}
    with line.running() as process:
        line.beat(camera="cam2")
        line.steps(process, 4)
        unplaced(line, "cam2", gone)
        line.steps(process, 4)
        assert line.standing() == {"camera_moved.cam2": AlarmStage.UNACKNOWLEDGED}
        found = line.alarm(K.CAMERA_MOVED, "cam2")
        assert found is not None
        assert "last 3 pictures" in str(found.detail)
        beaten(line, process)
        assert line.standing() == {"camera_moved.cam2": AlarmStage.UNACKNOWLEDGED}, "a heartbeat does not end it"
        unplaced(line, "cam2", None)
        beaten(line, process)
        assert line.standing() == {"camera_moved.cam2": AlarmStage.RETURNED}


def test_with_a_gate_a_bin_holds_what_the_gate_says_that_went_there() -> None:
    line = Line(limits=AlarmLimits(rejects_in_a_row=0, bins={"rejected": 1}))
    with line.running() as process:
        line.route(Routing.REJECTED, line_state=LineStateRef(mode=LineMode.PRODUCTION, since_ms=0, has_gate=True))
        line.steps(process)
        assert line.standing() == {}
        told = sample(Actuation).model_copy(update={"intended": Routing.REJECTED, "actual": Routing.REJECTED})
        line.send("actuations", told.visit_id, told)
        line.steps(process)
        assert line.standing() == {"bin_full.rejected": AlarmStage.UNACKNOWLEDGED}


def test_what_is_said_of_the_flow_becomes_alarms() -> None:
    line = Line()
    with line.running() as process:
        line.send("balances", "line1", sample(Balance).model_copy(update={"lost": ("a",)}))
        line.send("dead-letters", "x", sample(DeadLetter))
        line.send("outputs", "plc1", sample(OutputState))
        line.beat(error_ms=-9_000)
        line.steps(process)
        assert set(line.standing()) == {"balance_open", "dead_letters.inspect", "clock_wrong.cam1"}
        line.clock.advance(11)
        line.beat(error_ms=-9_000)
        line.steps(process, 6)
        assert line.standing()["output_silent.plc1"] is AlarmStage.UNACKNOWLEDGED


def test_a_part_that_waits_too_long_for_review_asks_for_a_stop() -> None:
    line = Line()
    with line.running() as process:
        slot = sample(SlotOpen).model_copy(
            update={"opened_ms": line.clock.now_ms(), "capacity_per_hour": 100, "max_age_ms": 60_000}
        )
        line.send("reinspections", slot.slot_id, slot)
        line.steps(process, 70)
        recipe = slot.recipe.recipe_id
        assert line.standing() == {}
        line.steps(process, 10)
        assert line.standing() == {f"review_stop.{recipe}": AlarmStage.UNACKNOWLEDGED}


def test_a_stage_that_leaves_records_is_an_alarm_and_one_that_has_none_is_not() -> None:
    line = Line()
    group = line.broker.consumer(group=NS.group("route"), topics=[NS.topic("captures")])
    with line.running() as process:
        group.poll(0.1)
        line.beat()
        records = group.poll(0.1)
        group.commit({one.position: one.offset + 1 for one in records})
        for _ in range(5):
            line.beat()
            line.steps(process, 4)
        records = group.poll(0.1)
        group.commit({one.position: one.offset + 1 for one in records})
        line.beat()
        line.steps(process, 10)
        assert line.standing() == {}
        for _ in range(6):
            line.beat()
            line.steps(process, 10)
        assert line.standing() == {"stage_behind.route": AlarmStage.UNACKNOWLEDGED}


def test_requests_are_done_once_over_any_number_of_restarts() -> None:
    line = Line()
    with line.running() as process:
        line.beat(CameraCondition.DARK)
        line.steps(process, 3)
    line.ask(AlarmDoing.SHELVE, K.CAMERA_DARK, "cam1", until_ms=line.clock.now_ms() + 600_000)
    for _ in range(3):
        with line.running() as process:
            line.steps(process, 3)
    with line.book() as book:
        assert [one.step for one in book.events()].count(AlarmStep.SHELVED) == 1
        assert book.words()["line1"].epoch == 4


def test_a_second_process_fences_the_first_of_which_nothing_is_written_any_more() -> None:
    line = Line()
    with line.process() as first, line.process() as second:
        first.start()
        second.start()
        line.beat(CameraCondition.DARK)
        with pytest.raises((Fenced, TransactionFailed)):
            line.steps(first, 3)
        line.steps(second)
        assert line.standing() == {"camera_dark.cam1": AlarmStage.UNACKNOWLEDGED}
        with line.process(first.epoch) as again, pytest.raises(Fenced):
            again.start()


def test_a_step_that_was_not_committed_is_taken_again() -> None:
    line = Line()
    with line.running() as process:
        line.beat(CameraCondition.DARK)
        line.broker.faults.order(Fault.SEND)
        with pytest.raises(TransactionFailed):
            line.steps(process, 3)
    assert line.standing() == {}
    with line.running() as process:
        line.steps(process)
        assert line.standing() == {"camera_dark.cam1": AlarmStage.UNACKNOWLEDGED}


def test_another_lines_records_are_nobodys_alarm_here() -> None:
    line = Line()
    with line.running() as process:
        told = sample(CameraHeartbeat).model_copy(update={"conditions": (CameraCondition.DARK,), "line_id": "line2"})
        line.send("captures", "cam1", told)
        line.steps(process)
        assert line.standing() == {}
