"""Onward around the output modbus, with a simulated PLC at its port: from a disposition to what the gate did."""

from __future__ import annotations

import threading

import pytest

from linewarden_onward.gate import GateBin, GateControl, GateLimits
from linewarden_onward.outputs.modbus import ModbusOptions
from linewarden_onward.simulated_plc import PlcLink, SimulatedPlc
from linewarden_onward.testing import BUDGET_MS, TrialPlant, decided
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.processes import free_port
from linewarden_schemas.vocabulary import Cause, LineMode, Routing
from tests.support.gates import LANES

PORT = free_port()
OPTIONS = ModbusOptions(output_id="gate", port=PORT)


class BeltClock(ManualClock):
    """While anybody waits, the PLC makes a cycle of 10 ms."""

    def __init__(self) -> None:
        super().__init__()
        control = GateControl(GateLimits(BUDGET_MS))
        self.plc = SimulatedPlc(PlcLink("127.0.0.1", PORT, 10.0), control, LANES, self, BUDGET_MS)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.plc.scan()
        self.advance(0.01)
        return event.is_set()


@pytest.fixture
def clock() -> BeltClock:
    return BeltClock()


def run(plant: TrialPlant, clock: BeltClock, seconds: float) -> None:
    """Let the plant and the PLC work on for so long of their time."""
    for _ in range(round(seconds * 20)):
        plant.turn(1)
        for _ in range(5):
            clock.wait(threading.Event(), 0.01)


def test_a_part_goes_where_route_said_and_its_visit_hears_of_it(clock: BeltClock) -> None:
    plant = TrialPlant(OPTIONS, clock=clock)
    run(plant, clock, 1.0)
    routings = [Routing.TRUSTED_PASS, Routing.DIVERTED, Routing.REJECTED, Routing.TRUSTED_PASS]
    for counter, routing in enumerate(routings, 1):
        clock.plc.trigger(counter)
        causes = (Cause.LOW_TRUST,) if routing is Routing.DIVERTED else ()
        plant.decide(decided(counter, clock.now_ms(), routing, causes=causes))
    run(plant, clock, BUDGET_MS / 1_000 + 1.0)
    assert [clock.plc.binned[number].bin for number in (1, 2, 3, 4)] == ["pass", "divert", "reject", "pass"]
    acts = sorted(plant.actuations(), key=lambda act: act.visit_id)
    assert [(act.intended, act.actual, act.epoch) for act in acts] == [(one, one, 1) for one in routings]
    assert acts[3].sequence == 2
    assert plant.committed() == 4
    plant.close()


def test_a_pass_in_another_state_than_production_never_reaches_the_gate(clock: BeltClock) -> None:
    plant = TrialPlant(OPTIONS, clock=clock)
    run(plant, clock, 1.0)
    clock.plc.trigger(1)
    said = decided(1, clock.now_ms())
    assert said.line_state is not None
    plant.decide(said.model_copy(update={"line_state": said.line_state.model_copy(update={"mode": LineMode.BYPASS})}))
    run(plant, clock, BUDGET_MS / 1_000 + 1.0)
    assert clock.plc.binned[1].bin is GateBin.DIVERT
    assert [(act.intended, act.actual) for act in plant.actuations()] == [("trusted_pass", "diverted")]
    plant.close()


def test_an_heir_writes_its_own_epoch_and_the_plc_goes_on(clock: BeltClock) -> None:
    first = TrialPlant(OPTIONS, clock=clock)
    run(first, clock, 1.0)
    first.close()
    heir = TrialPlant(OPTIONS, broker=first.broker, clock=clock)
    run(heir, clock, 1.0)
    clock.plc.trigger(1)
    heir.passed(1)
    run(heir, clock, BUDGET_MS / 1_000 + 1.0)
    assert clock.plc.binned[1].bin is GateBin.PASS
    assert [(act.actual, act.epoch, act.sequence) for act in heir.actuations()] == [("trusted_pass", 2, 1)]
    heir.close()


def test_while_the_plc_is_away_nothing_is_committed_and_what_is_late_then_is_never_shown(clock: BeltClock) -> None:
    clock.plc.is_dead = True
    plant = TrialPlant(OPTIONS, clock=clock)
    clock.plc.trigger(1)
    plant.passed(1)
    run(plant, clock, 1.0)
    assert plant.committed() == 0
    run(plant, clock, BUDGET_MS / 1_000 + 6.0)
    assert plant.committed() == 1
    clock.plc.is_dead = False
    run(plant, clock, 1.0)
    assert clock.plc.binned[1].bin is GateBin.UNKNOWN
    assert [(act.intended, act.actual) for act in plant.actuations()] == [("trusted_pass", "diverted")]
    plant.close()
