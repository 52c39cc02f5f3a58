"""A control against servers that are killed, frozen, late or replaced: it passes no part without its own permission."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from linewarden_onward.gate import GateBin, GateControl, GateDoubt, GateLimits, GateStep
from linewarden_onward.interface import OutputAway
from linewarden_onward.outputs.modbus import ModbusOutput
from linewarden_onward.simulated_plc import PlcLink, SimulatedPlc
from linewarden_runtime.clock import ManualClock, SystemClock
from linewarden_schemas.vocabulary import Routing
from tests.support.gates import LANES, WINDOW_MS, notice
from tests.support.plant_modbus import WIDE_MS, opened, routing_of
from tests.support.processes import wait_for
from tests.support.tcp_proxy import TcpProxy

SEED = 11


class Plant:
    """The control on a clock that it moves by 10 ms a scan, a part each 100 ms, and one server process at a time."""

    def __init__(self) -> None:
        self.clock, self.port, self.epoch, self.counter = ManualClock(), 0, 0, 0
        self.clock.advance(10.0)

    @contextmanager
    def server(self, fault_at: int, fault: signal.Signals) -> Iterator[subprocess.Popen[str]]:
        """A new process with a new epoch, at the same port as the one before; killed at the end."""
        self.epoch += 1
        arguments = map(str, (self.port, self.epoch, SEED, fault_at, int(fault)))
        command = [sys.executable, "-m", "tests.support.plant_modbus", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                port = int(process.stdout.readline())
                if not self.port:
                    self.port = port
                    limits = GateLimits(WINDOW_MS, heartbeat_ms=100)
                    link = PlcLink("127.0.0.1", port, 0.03)
                    self.plc = SimulatedPlc(link, GateControl(limits), LANES, self.clock, WINDOW_MS)
                yield process
            finally:
                process.kill()

    def run(self, parts: int) -> None:
        """So many parts more; each gets a while of real time to be answered, and no more than its window of the belt's.

        The belt's clock moves for a scan that nothing came of, too: a dead server does not stop it.
        """
        for _ in range(parts):
            self.counter += 1
            self.plc.trigger(self.counter)
            for _ in range(10):
                self.plc.scan()
                self.clock.advance(0.01)

    def empty(self) -> None:
        """Run the belt empty."""
        while self.plc.belt:
            self.plc.scan()
            self.clock.advance(0.01)

    def wrong(self) -> list[int]:
        """Parts that passed without a permission of their own."""
        return [
            counter
            for counter, step in self.plc.binned.items()
            if step.bin is GateBin.PASS and routing_of(SEED, counter) is not Routing.TRUSTED_PASS
        ]


def has_stopped(process: subprocess.Popen[str]) -> bool:
    found, status = os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)
    return bool(found) and os.WIFSTOPPED(status)


def run_until(plant: Plant, reached: threading.Event, process: subprocess.Popen[str], *, stopped: bool) -> None:
    """Parts go on until the process has met its fault."""

    def met() -> bool:
        plant.run(1)
        return has_stopped(process) if stopped else process.poll() is not None

    wait_for(met, "the server meets its fault")
    reached.set()


@pytest.mark.parametrize(
    "looks",
    [(5, 9, 14, 30), pytest.param(tuple(range(1, 80, 3)), marks=[pytest.mark.slow, pytest.mark.timeout(400)])],
    ids=["few", "many"],
)
def test_a_server_killed_at_any_look_at_its_time_lets_no_part_through(looks: tuple[int, ...]) -> None:
    plant = Plant()
    for look in looks:
        with plant.server(look, signal.SIGKILL) as process:
            run_until(plant, threading.Event(), process, stopped=False)
            before = plant.counter + 1
            plant.run(6)
            unseen = [plant.plc.binned[counter] for counter in range(before, plant.counter - 2)]
            assert {step.bin for step in unseen} == {GateBin.UNKNOWN}
    with plant.server(0, signal.SIGKILL):
        plant.run(60)
        plant.empty()
    assert plant.wrong() == []
    assert plant.plc.control.bins[GateBin.PASS] > 0
    assert plant.plc.alarms > 0


@pytest.mark.parametrize(
    "looks",
    [(6, 17), pytest.param(tuple(range(1, 60, 3)), marks=[pytest.mark.slow, pytest.mark.timeout(400)])],
    ids=["few", "many"],
)
def test_a_server_frozen_at_any_look_at_its_time_lets_no_part_through_then_or_when_it_goes_on(
    looks: tuple[int, ...],
) -> None:
    plant = Plant()
    for look in looks:
        with plant.server(look, signal.SIGSTOP) as process:
            run_until(plant, threading.Event(), process, stopped=True)
            before = plant.counter + 1
            plant.run(5)
            process.send_signal(signal.SIGCONT)
            plant.run(8)
            frozen = [plant.plc.binned[counter].bin for counter in range(before, before + 2)]
            assert frozen == [GateBin.UNKNOWN] * 2
    plant.empty()
    assert plant.wrong() == []


@pytest.fixture
def output() -> Iterator[ModbusOutput]:
    made = opened(hold_ms=20)
    yield made
    made.close()


def a_control(clock: ManualClock, port: int) -> SimulatedPlc:
    return SimulatedPlc(PlcLink("127.0.0.1", port, 10.0), GateControl(GateLimits(WINDOW_MS)), LANES, clock, WINDOW_MS)


def settle(plc: SimulatedPlc, *outputs: ModbusOutput) -> None:
    """Two readings between which the heartbeat moves."""
    for _ in range(2):
        plc.scan()
        for output in outputs:
            output.beat()
    plc.scan()


def shown(output: ModbusOutput, counter: int, epoch: int = 1, sequence: int = 1) -> None:
    """A pass is in the registers, and nobody has acknowledged it."""
    seen = SystemClock().now_ms()
    with pytest.raises(OutputAway):
        output.tell([notice(counter, seen_ms=seen, epoch=epoch, sequence=sequence, window_ms=WIDE_MS)])


def test_a_socket_that_delivers_late_moves_neither_its_part_nor_the_one_that_follows(output: ModbusOutput) -> None:
    clock = ManualClock()
    with TcpProxy(output.port) as proxy:
        plc = a_control(clock, proxy.port)
        settle(plc, output)
        plc.trigger(1)
        plc.scan()
        shown(output, 1)
        proxy.delay(0.3)
        before = proxy.seen["delayed"]
        scan = threading.Thread(target=plc.scan)
        scan.start()
        wait_for(lambda: proxy.seen["delayed"] >= before + 2, "the answer is under way")
        clock.advance((WINDOW_MS + 10) / 1_000)
        plc.trigger(2)
        scan.join()
        assert plc.image is not None
        assert plc.image.counter == 1
        clock.advance(WINDOW_MS / 1_000)
        plc.scan()
        assert plc.binned == {
            1: GateStep(1, GateBin.UNKNOWN, GateDoubt.NO_ANSWER),
            2: GateStep(2, GateBin.UNKNOWN, GateDoubt.NO_ANSWER),
        }


def test_a_server_that_was_taken_over_while_it_stood_is_refused_by_its_epoch(output: ModbusOutput) -> None:
    clock = ManualClock()
    heir = opened(epoch=2, hold_ms=20)
    control = GateControl(GateLimits(WINDOW_MS))
    old = SimulatedPlc(PlcLink("127.0.0.1", output.port, 10.0), control, LANES, clock, WINDOW_MS)
    new = SimulatedPlc(PlcLink("127.0.0.1", heir.port, 10.0), control, LANES, clock, WINDOW_MS)
    settle(old, output)
    settle(new, heir)
    old.trigger(1)
    old.scan()
    shown(output, 1, sequence=9)
    output.beat()
    old.scan()
    clock.advance(WINDOW_MS / 1_000)
    old.scan()
    assert old.binned[1].bin is GateBin.UNKNOWN
    heir.close()


def test_a_heartbeat_that_stands_drops_the_control_s_output_although_a_pass_was_read(output: ModbusOutput) -> None:
    clock = ManualClock()
    plc = a_control(clock, output.port)
    settle(plc, output)
    plc.trigger(1)
    plc.scan()
    shown(output, 1)
    plc.scan()
    assert plc.control.is_live(clock.monotonic() * 1_000)
    clock.advance(2.0)
    plc.scan()
    assert plc.binned == {1: GateStep(1, GateBin.UNKNOWN, GateDoubt.STANDING)}
    assert not plc.control.is_live(clock.monotonic() * 1_000)


def test_a_dead_control_takes_no_result_and_its_parts_are_not_passed(output: ModbusOutput) -> None:
    clock = ManualClock()
    plc = a_control(clock, output.port)
    settle(plc, output)
    plc.trigger(1)
    plc.scan()
    plc.is_dead = True
    shown(output, 1)
    for _ in range(3):
        plc.scan()
        clock.advance(WINDOW_MS / 2_000)
    assert plc.binned == {1: GateStep(1, GateBin.UNKNOWN, GateDoubt.NO_ANSWER)}
    assert plc.owes == 1
