"""The simulated control as a client of the OPC UA output: the rule of the gate, on what can be read there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from linewarden_onward.gate import GateBin, GateControl, GateDoubt, GateLimits
from linewarden_onward.outputs.gate_block import GateLanes
from linewarden_onward.outputs.opcua_server import OpcuaOutput
from linewarden_onward.simulated_plc import SimulatedPlc
from linewarden_onward.ua_link import UaLink
from linewarden_runtime.clock import SystemClock
from linewarden_schemas.vocabulary import Routing
from tests.support.gates import notice
from tests.support.notices import output_run
from tests.support.plant_modbus import WIDE_MS
from tests.support.plant_opcua import PASSWORD, USER, UaPlant
from tests.support.processes import wait_for


class UaControl:
    """A control with parts that stay on its belt, beside an output that beats."""

    def __init__(self, plant: UaPlant) -> None:
        clock = SystemClock()
        self.plant = plant
        self.output = OpcuaOutput(plant.options(), output_run(epoch=3, now_ms=clock.now_ms))
        url = f"opc.tcp://127.0.0.1:{plant.port}/linewarden"
        self.link = UaLink(url, USER, PASSWORD, plant.folder / "own" / "server.der", "line1")
        self.control = GateControl(GateLimits(WIDE_MS, heartbeat_ms=5_000))
        self.plc = SimulatedPlc(self.link, self.control, GateLanes(), clock, WIDE_MS)
        self._clock = clock

    @property
    def now_ms(self) -> float:
        """The control's own time."""
        return self._clock.monotonic() * 1_000

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Scan and beat until it holds."""

        def turned() -> bool:
            self.output.beat()
            self.plc.scan()
            return condition()

        wait_for(turned, what)

    def tell(self, counter: int, routing: Routing, sequence: int = 1) -> None:
        """Let the output say what was decided of a part."""
        seen = SystemClock().now_ms()
        self.output.tell(
            [notice(counter, routing, seen_ms=seen, epoch=3, sequence=sequence, window_ms=WIDE_MS)],
        )


@pytest.fixture
def ua(tmp_path: Path) -> Iterator[UaControl]:
    made = UaControl(UaPlant(tmp_path / "opcua"))
    with closing(made.link):
        made.until(lambda: made.control.is_live(made.now_ms), "the control sees the heartbeat move")
        yield made
    made.output.close()


def test_a_part_passes_on_its_own_permission_and_the_others_go_where_they_were_decided_to(ua: UaControl) -> None:
    for counter in (1, 2, 3, 4):
        ua.plc.trigger(counter)
    ua.tell(1, Routing.TRUSTED_PASS)
    ua.tell(2, Routing.DIVERTED)
    ua.tell(3, Routing.REJECTED)
    ua.until(lambda: {1, 2, 3} <= ua.plc.answer_ms.keys(), "three answers")
    bins = [ua.control.arrive(counter, ua.now_ms).bin for counter in (1, 2, 3, 4)]
    assert bins == [GateBin.PASS, GateBin.DIVERT, GateBin.REJECT, GateBin.UNKNOWN]


def test_a_permission_that_stood_there_before_the_trigger_passes_nothing(ua: UaControl) -> None:
    ua.tell(5, Routing.TRUSTED_PASS, sequence=9)
    ua.until(lambda: ua.plc.image is not None and ua.plc.image.counter == 5, "the permission is read")
    ua.plc.trigger(5)
    ua.plc.trigger(6)
    ua.tell(6, Routing.TRUSTED_PASS, sequence=10)
    ua.until(lambda: 6 in ua.plc.answer_ms, "the answer of the next part")
    assert ua.control.arrive(5, ua.now_ms).bin is GateBin.UNKNOWN
    assert ua.control.arrive(6, ua.now_ms).bin is GateBin.PASS


def test_a_server_that_ends_lets_the_control_s_output_fall_also_for_a_pass_that_was_read(ua: UaControl) -> None:
    ua.plc.trigger(1)
    ua.tell(1, Routing.TRUSTED_PASS)
    ua.until(lambda: 1 in ua.plc.answer_ms, "the answer")
    ua.output.close()
    wait_for(lambda: ua.link.images() is None, "no answer")
    step = ua.control.arrive(1, ua.now_ms + 5_001)
    assert (step.bin, step.doubt) == (GateBin.UNKNOWN, GateDoubt.STANDING)
    ua.output = OpcuaOutput(ua.plant.options(), output_run(epoch=4, now_ms=SystemClock().now_ms))
    ua.until(lambda: ua.control.epoch == 4, "the control comes back to the next epoch by itself")
