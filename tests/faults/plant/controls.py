"""Outputs that controls read, struck: Modbus with a simulated PLC, OPC UA with a client that follows the results."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

from asyncua import ua

from linewarden.demo import line
from linewarden_onward.gate import GateBin, GateControl, GateLimits
from linewarden_onward.outputs.gate_block import GateLanes
from linewarden_onward.simulated_plc import PlcLink, SimulatedPlc, TriggerOrder
from linewarden_runtime.books import positions_of, readable
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.processes import free_port
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import trigger_in
from tests.faults.matrix.oracle import Judgement
from tests.faults.plant.bed import DECIDE_BY_MS, Naming, PlantBed
from tests.faults.plant.outputs import OutputRig, told_by
from tests.support.plant_opcua import UaPlant, called, child, since
from tests.support.tcp_proxy import TcpProxy

HEARTBEAT_MS = 1_000
"""Within which the control wants to see the heartbeat move."""
_SCAN_S = 0.02
_CALL_S = 1.5


class ControlRig(OutputRig):
    """A control behind a proxy: its own watchdog names whatever ends, cuts or stops the server."""

    _wire: TcpProxy

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The wire carries nothing any more, and neither end is told."""
        try:
            found = self.named(bed, limit_s, self._wire.freeze)
            bed.hold(rng.uniform(0.0, 3.0))
            return found
        finally:
            self._wire.heal()

    def named(self, bed: PlantBed, limit_s: float, strike: Any) -> Naming:
        """As any output's, once the control has seen the heartbeat move."""
        bed.until(lambda: self.sign(bed) is None, "the control sees the heartbeat move")
        return super().named(bed, limit_s, strike)


class ModbusRig(ControlRig):
    """The simulated PLC: a part for each visit that is captured, a belt as long as the time to decide, and bins."""

    is_gate = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        port = free_port()
        self._wire = TcpProxy(port).start()
        self.output = told_by({"kind": "modbus", "port": port})
        self._over, self._thread = threading.Event(), threading.Thread(target=self._scan_all, name="plc", daemon=True)
        self._clock = SystemClock()
        self._link = PlcLink("127.0.0.1", self._wire.port)
        control = GateControl(GateLimits(DECIDE_BY_MS, HEARTBEAT_MS))
        self._plc = SimulatedPlc(self._link, control, GateLanes(), self._clock, DECIDE_BY_MS)
        self._visits: dict[int, str] = {}
        self._bed: PlantBed | None = None
        self._known = frozenset[int]()

    def settle(self, bed: PlantBed) -> None:
        """Until each part that is captured lies in a bin, and what was decided of it is known here too."""
        if self._bed is None:
            self._bed = bed
            self._thread.start()
            bed.until(lambda: bool(self._plc.binned), "the first part lies in a bin")
        self._known = known = frozenset(self._visits)
        bed.until(lambda: known <= self._plc.binned.keys(), "each part lies in a bin")
        bed.until(lambda: all(self._first(bed, one) is not None for one in known), "each part is decided")

    def judge(self, bed: PlantBed) -> Judgement:
        """A bin holds what was decided of its part, or the part was not answered and lies apart.

        A pass without a permission any more lies with the diverted.
        """
        wrong, lost = set(), set()
        for counter in self._known:
            visit, step, first = self._visits[counter], self._plc.binned[counter], self._first(bed, counter)
            assert first is not None, visit
            if step.bin is GateBin.PASS and not first.is_pass:
                wrong.add(f"{visit}: in the bin of passes, and it is none")
            elif step.bin not in {
                GateBin.UNKNOWN,
                _BINS[first.routing.value],
                *([GateBin.DIVERT] if first.is_pass else []),
            }:
                lost.add(f"{visit}: {first.routing.value}, in the bin {step.bin.value}")
        return Judgement(lost=frozenset(lost), passed_wrongly=frozenset(wrong))

    def _first(self, bed: PlantBed, counter: int) -> Disposition | None:
        return bed.flow.dispositions.get(f"{self._visits[counter]}:0")

    def sign(self, bed: PlantBed) -> str | None:
        """That the PLC lets its own output fall."""
        is_live = self._plc.control.is_live(self._clock.monotonic() * 1_000)
        return None if is_live else "the PLC's output fell: the heartbeat stands still"

    def close(self) -> None:
        """Stop the PLC."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._link.close()
        self._wire.close()

    def _scan_all(self) -> None:
        assert self._bed is not None
        broker, topic = self._bed.broker, line.NAMESPACE.topic("captures")
        with broker.reader(dict.fromkeys(positions_of(broker, topic), 0), max_records=500) as reader:
            for place, offset in reader.end_offsets(positions_of(broker, topic)).items():
                reader.seek(place, offset)
            order, heard = TriggerOrder(), dict[int, str]()
            while not self._over.wait(_SCAN_S):
                for record in reader.poll(0.0):
                    message = readable(record)
                    trigger = trigger_in(message.visit_id) if isinstance(message, Capture) else None
                    if isinstance(message, Capture) and trigger is not None and trigger[1] not in heard:
                        heard[trigger[1]] = message.visit_id
                        order.add(trigger[1], self._clock.now_ms())
                for counter in order.due(self._clock.now_ms()):
                    self._visits[counter] = heard[counter]
                    self._plc.trigger(counter)  # a folder's visits name the run's begin, so the part is seen now
                self._plc.scan()


_BINS = {"trusted_pass": GateBin.PASS, "diverted": GateBin.DIVERT, "rejected": GateBin.REJECT}


class OpcuaRig(ControlRig):
    """A client of asyncua that reads results by sequence, permissions and heartbeat, and comes back by itself."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._plant = UaPlant(folder / "opcua")
        options = self._plant.options(ring=1_000)
        self.output = told_by(json.loads(options.model_dump_json(exclude_none=True)) | {"output_id": "plant"})
        self._wire = TcpProxy(self._plant.port).start()
        self._plant.port = self._wire.port
        self._over = threading.Event()
        self._at = (0, 0)
        self.gaps = 0
        self._heartbeat, self._moved = -1, float("-inf")
        self._permitted: dict[int, int] = {}
        self._bed: PlantBed | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow_all()), name="opcua", daemon=True)

    def settle(self, bed: PlantBed) -> None:
        """Until every result was read, or the client was told that it missed some."""
        if self._bed is None:
            self._bed = bed
            self._thread.start()
        super().settle(bed)

    def judge(self, bed: PlantBed) -> Judgement:
        """A permission names a part that was decided to pass."""
        others = {
            trigger[1]
            for one in bed.flow.dispositions.values()
            if not (one.is_pass or one.revision) and (trigger := trigger_in(one.visit_id)) is not None
        }
        wrong = self._permitted.keys() & others
        named = frozenset(f"part {one}: a permission without a trusted pass" for one in wrong)
        return super().judge(bed).and_also(Judgement(passed_wrongly=named))

    def sign(self, bed: PlantBed) -> str | None:
        """That the client's own watchdog falls."""
        stands = time.monotonic() - self._moved > HEARTBEAT_MS / 1_000
        return "the client's watchdog fell: the heartbeat stands still" if stands else None

    def close(self) -> None:
        """End the client."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._wire.close()

    async def _follow_all(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(ua.UaError, OSError, asyncio.TimeoutError, ConnectionError):
                await self._follow()
            await asyncio.sleep(0.5)

    async def _follow(self) -> None:
        client = await self._plant.client()
        try:
            await asyncio.wait_for(client.connect(), 10.0)
            heart = await child(client, "Gate", "Heartbeat")
            rows = await child(client, "Gate", "Permissions")
            while not self._over.is_set():
                async with asyncio.timeout(_CALL_S):
                    self._learn(await called(client, "GetResultsSince", *since(*self._at)))
                    for counter, epoch, *_ in _rows(await rows.read_value()):
                        if epoch:
                            self._permitted[counter] = epoch
                    beat = await heart.read_value()
                if beat != self._heartbeat:
                    self._heartbeat, self._moved = beat, time.monotonic()
                await asyncio.sleep(0.1)
        finally:
            with contextlib.suppress(ua.UaError, OSError, asyncio.TimeoutError, ConnectionError):
                async with asyncio.timeout(0.5):
                    await client.disconnect()
            client.disconnect_socket()

    def _learn(self, answer: list[Any]) -> None:
        epoch, is_gap, sequences, results = answer
        if is_gap and self._at[0]:
            assert self._bed is not None
            self.gaps += 1
            # Whatever was decided until now and is not in the ring may have been missed, and the client knows.
            self.excused |= self._bed.flow.dispositions.keys() - self.told.keys()
        for text in results:
            told = json.loads(text)
            self.told[told["id"]] = False  # permissions are read where they stand
        if sequences:
            self._at = (epoch, sequences[-1])
        elif epoch != self._at[0]:
            self._at = (epoch, 0)


def _rows(values: Any) -> list[list[int]]:
    flat = [int(one) for one in values] if values and not isinstance(values[0], list) else None
    return values if flat is None else [flat[at : at + 5] for at in range(0, len(flat), 5)]
