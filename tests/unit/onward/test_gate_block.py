"""What the block shows of a notice, and what it makes of the control's answers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from linewarden_onward.gate import GateDoubt, GateImage, GateVerdict
from linewarden_onward.interface import Notice, OutputAway, OutputRefused, OutputRun
from linewarden_onward.outputs.gate_block import GateBlock, GateLanes
from linewarden_onward.outputs.registers import Handshake, handshake_registers, result_of
from linewarden_runtime.clock import ManualClock
from linewarden_schemas.vocabulary import Routing
from tests.support.gates import START_MS, WINDOW_MS, notice


class Control(ManualClock):
    """A control that answers while the block waits, where it answers at all; what it read is kept."""

    def __init__(self) -> None:
        super().__init__(START_MS)
        self.answers, self.knows_time = True, True
        self.read: list[GateImage] = []
        self.look: Callable[[], None] = lambda: None
        run = OutputRun("line1", 1, self, threading.Event(), self.broker_ms)
        self.block = GateBlock(run, GateLanes(), 0.1)
        self.write(Handshake(ready=1))

    def broker_ms(self) -> int | None:
        self.look()
        return self.now_ms() if self.knows_time else None

    def write(self, handshake: Handshake) -> None:
        self.block.wrote(handshake_registers(handshake))

    def image(self) -> GateImage:
        return result_of(self.block.registers())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.read.append(self.image())
        if self.answers:
            last = self.read[-1]
            self.write(Handshake(ready=1, acknowledged=last.counter, acknowledged_verdict=last.verdict))
        return super().wait(event, seconds)

    def acted(self, number: int, counter: int, lane: int, doubt: int = 0, trigger: int = 0) -> None:
        self.write(Handshake(1, trigger, 0, 0, 0, number, counter, lane, doubt))


def test_results_are_shown_one_after_the_other_each_until_it_is_acknowledged() -> None:
    control = Control()
    control.block.tell([notice(4), notice(5, Routing.DIVERTED), notice(6, Routing.REJECTED), notice(7)])
    assert [(one.counter, one.verdict, one.lane, one.window_ms, one.sequence) for one in control.read] == [
        (4, GateVerdict.PASS, 1, WINDOW_MS, 5),
        (5, GateVerdict.DIVERT, 2, 0, 5),
        (6, GateVerdict.REJECT, 3, 0, 5),
        (7, GateVerdict.PASS, 1, WINDOW_MS, 8),
    ]
    assert all(one.counter == one.counter_again and one.epoch == 1 for one in control.read)


def test_of_a_batch_only_what_was_not_acknowledged_is_shown_again() -> None:
    control = Control()
    batch = [notice(4), notice(5)]

    def stop_after_the_first() -> None:
        control.answers = not control.read

    control.look = stop_after_the_first
    with pytest.raises(OutputAway, match="part 5"):
        control.block.tell(batch)
    control.look = lambda: None
    control.answers = True
    control.read.clear()
    control.block.tell(batch)
    assert [one.counter for one in control.read] == [5]


def test_a_control_that_is_not_ready_is_told_nothing() -> None:
    control = Control()
    control.write(Handshake())
    with pytest.raises(OutputAway, match="not ready"):
        control.block.tell([notice(4)])
    assert control.image().verdict == GateVerdict.NONE


def test_a_part_whose_window_is_over_is_not_shown_at_all() -> None:
    control = Control()
    control.advance(WINDOW_MS / 1_000)
    control.block.tell([notice(4), notice(5, Routing.REJECTED), notice(6, revision=1)])
    assert control.read == []
    assert control.image().verdict == GateVerdict.NONE


@pytest.mark.parametrize(
    "told",
    [
        notice(4, epoch=2),
        Notice(notice(4).disposition),
        Notice(notice(4, window_ms=20_000).disposition, notice(4, window_ms=0).permission),
    ],
    ids=["another epoch", "without permission", "expired"],
)
def test_a_pass_without_an_open_permission_of_this_epoch_is_told_as_a_diversion(told: Notice) -> None:
    control = Control()
    control.block.tell([told])
    assert [one.verdict for one in control.read] == [GateVerdict.DIVERT]


def test_while_the_broker_s_time_is_not_known_nothing_opens() -> None:
    control = Control()
    control.knows_time = False
    control.block.tell([notice(4)])
    assert [one.verdict for one in control.read] == [GateVerdict.DIVERT]


def test_a_pass_that_expires_between_the_look_and_the_write_is_taken_back_at_once() -> None:
    control = Control()
    looks = iter([0.0, WINDOW_MS / 1_000])

    def expire_at_the_second_look() -> None:
        control.advance(next(looks, 0.0))

    control.look = expire_at_the_second_look
    control.block.tell([notice(4)])
    assert control.image().verdict == GateVerdict.NONE


def test_an_expired_pass_is_not_even_read_while_the_thread_that_would_clear_it_stands_still() -> None:
    control = Control()
    control.block.tell([notice(4)])
    assert control.image().verdict == GateVerdict.PASS
    control.advance(WINDOW_MS / 1_000)
    cleared = control.image()
    assert (cleared.counter, cleared.verdict, cleared.lane, cleared.window_ms) == (4, GateVerdict.NONE, 0, 0)


def test_a_beat_clears_an_expired_pass_for_good() -> None:
    control = Control()
    control.block.tell([notice(4)])
    control.advance(WINDOW_MS / 1_000)
    control.block.beat()
    control.set_wall(START_MS)
    assert control.image().verdict == GateVerdict.NONE


def test_the_heartbeat_moves_with_each_beat_and_not_by_being_read() -> None:
    control = Control()
    first, second = control.image().heartbeat, control.image().heartbeat
    control.block.beat()
    assert second == first
    assert control.image().heartbeat == first + 1


def test_the_heartbeat_stands_while_the_broker_s_time_is_not_known() -> None:
    control = Control()
    control.knows_time = False
    before = control.image().heartbeat
    control.block.beat()
    assert control.image().heartbeat == before


def test_the_trigger_is_echoed() -> None:
    control = Control()
    control.write(Handshake(ready=1, trigger=70_000))
    assert control.image().trigger_acknowledged == 70_000


def test_a_visit_without_a_number_that_fits_is_refused() -> None:
    control = Control()
    with pytest.raises(OutputRefused, match="number"):
        control.block.tell([notice(2**32, Routing.REJECTED)])


def acts(control: Control) -> list[tuple[str, Routing, Routing | None, str | None]]:
    return [(act.visit_id[-6:], act.intended, act.actual, act.detail) for act in control.block.beat()]


def test_what_the_gate_did_is_brought_once_with_what_was_intended() -> None:
    control = Control()
    control.block.tell([notice(4), notice(5), notice(6, Routing.DIVERTED)])
    control.acted(1, 4, lane=1)
    control.acted(1, 4, lane=1)
    control.acted(2, 5, lane=2, doubt=1)
    control.acted(3, 6, lane=0)
    assert acts(control) == [
        ("000004", Routing.TRUSTED_PASS, Routing.TRUSTED_PASS, None),
        ("000005", Routing.TRUSTED_PASS, Routing.DIVERTED, GateDoubt.NO_ANSWER),
        ("000006", Routing.DIVERTED, None, None),
    ]
    assert acts(control) == []


def test_what_the_gate_did_with_a_part_that_was_not_told_yet_waits_for_its_visit() -> None:
    control = Control()
    control.acted(1, 4, lane=2, doubt=1)
    assert acts(control) == []
    control.advance(WINDOW_MS / 1_000)
    control.block.tell([notice(4)])
    assert acts(control) == [("000004", Routing.TRUSTED_PASS, Routing.DIVERTED, GateDoubt.NO_ANSWER)]


def test_after_the_control_counts_anew_no_number_means_the_part_that_it_meant_before() -> None:
    control = Control()
    control.write(Handshake(ready=1, trigger=9))
    control.block.tell([notice(4)])
    control.write(Handshake(ready=1, trigger=4))
    control.acted(1, 4, lane=2, trigger=4)
    assert acts(control) == []


def test_a_gate_of_two_lanes_puts_what_is_rejected_with_what_is_diverted() -> None:
    lanes = GateLanes(rejected=2)
    assert lanes.actual(2, Routing.REJECTED) is Routing.REJECTED
    assert lanes.actual(2, Routing.TRUSTED_PASS) is Routing.DIVERTED
    assert lanes.actual(9, Routing.TRUSTED_PASS) is None
    with pytest.raises(ValueError, match="nothing else"):
        GateLanes(diverted=1)


def test_a_withdrawn_block_says_nothing() -> None:
    control = Control()
    control.block.tell([notice(4)])
    control.block.withdraw()
    assert control.image().verdict == GateVerdict.NONE
