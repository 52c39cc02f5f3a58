"""A simulated PLC: a belt with parts, a gate with bins, the rule of the gate, and a Modbus TCP client of its own."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from linewarden_onward.gate import GateBin, GateControl, GateDoubt, GateImage, GateStep, GateVerdict
from linewarden_onward.outputs.gate_block import ACT_BINS, ACT_DOUBTS, GateLanes
from linewarden_onward.outputs.registers import (
    HANDSHAKE_AT,
    RESULT_WORDS,
    Handshake,
    handshake_registers,
    result_of,
)
from linewarden_runtime.clock import Clock

_DOUBT_NUMBERS = {doubt: number for number, doubt in ACT_DOUBTS.items()}
_SENSOR_NUMBERS = {is_full: number for number, is_full in ACT_BINS.items()}
_READ_AGAIN = {GateDoubt.TORN, GateDoubt.STANDING, GateDoubt.OLD_EPOCH}
"""A reading that was not taken for one of these is not acknowledged: the next one may be."""


class ControlLink(Protocol):
    """How a control reaches its output."""

    def images(self) -> Sequence[GateImage] | None:
        """What can be read now, the oldest permission first; None without an answer."""
        ...

    def write(self, handshake: Handshake) -> bool:
        """Tell what was done; whether it was taken. True where the output is told nothing."""
        ...

    def close(self) -> None:
        """End the connection, where there is one."""
        ...


class PlcLink:
    """The PLC's side of the registers. No answer in `timeout_s` ends the connection, so that none comes late."""

    def __init__(self, host: str, port: int, timeout_s: float = 0.3) -> None:
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)

    def read(self) -> GateImage | None:
        """The whole block by one request; None without an answer."""
        found = self.registers(0, RESULT_WORDS)
        return None if found is None else result_of(found)

    def images(self) -> Sequence[GateImage] | None:
        """The one result that the registers show."""
        image = self.read()
        return None if image is None else (image,)

    def registers(self, address: int, count: int) -> list[int] | None:
        """Registers by one request; None without an answer, or where the server refuses."""
        try:
            answer = self._client.read_holding_registers(address, count=count)
        except (ModbusException, OSError):
            self.close()
            return None
        return None if answer.isError() else list(answer.registers)

    def write(self, handshake: Handshake) -> bool:
        """The whole handshake by one request; whether it was taken."""
        try:
            answer = self._client.write_registers(HANDSHAKE_AT, handshake_registers(handshake))
        except (ModbusException, OSError):
            self.close()
            return False
        return not answer.isError()

    def close(self) -> None:
        """End the connection, where there is one."""
        self._client.close()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class PlcPart:
    """A part on the belt; times are ms of the PLC's clock."""

    counter: int
    seen_ms: float
    answered_ms: float | None = None


class TriggerOrder:
    """Counters in the order of their triggers, although partitions bring them in any order; times in ms of one clock.

    Each is given once all before it were; one that is missing is waited for, for `patience_ms`.
    """

    def __init__(self, patience_ms: float = 1_000) -> None:
        self._patience_ms = patience_ms
        self._heard: dict[int, float] = {}
        self._last: int | None = None

    def add(self, counter: int, now_ms: float) -> None:
        """A trigger of that counter was heard of."""
        self._heard[counter] = now_ms

    def due(self, now_ms: float) -> list[int]:
        """Those whose turn it is."""
        found: list[int] = []
        for counter in sorted(self._heard):
            is_next = self._last is not None and counter <= self._last + 1
            if not is_next and now_ms - self._heard[counter] < self._patience_ms:
                break
            del self._heard[counter]
            self._last = counter if self._last is None else max(self._last, counter)
            found.append(counter)
        return found


class SimulatedPlc:
    """One control: told of triggers, it scans, and every part ends in a bin `belt_ms` after its trigger.

    Where `is_dead` it neither reads nor writes, while the belt goes on and its output has fallen. With `bin_holds` each
    lane has a bin whose sensor says full from so many parts on.
    """

    def __init__(
        self,
        link: ControlLink,
        control: GateControl,
        lanes: GateLanes,
        clock: Clock,
        belt_ms: float,
        bin_holds: int | None = None,
    ) -> None:
        self.control, self.is_dead = control, False
        self.belt: deque[PlcPart] = deque()
        self.binned: dict[int, GateStep] = {}
        self.answer_ms: dict[int, float] = {}
        self.alarms = 0
        self.image: GateImage | None = None
        self._link, self._lanes, self._clock, self._belt_ms = link, lanes, clock, belt_ms
        self._bin_holds = bin_holds
        self._lying: Counter[int] = Counter()
        self._handshake = Handshake(ready=1)
        self._told: Handshake | None = None
        self._acts: deque[Handshake] = deque()

    @property
    def missed(self) -> int:
        """Triggers that it could not take."""
        return self._handshake.missed

    @property
    def owes(self) -> int:
        """Parts under way, and reports that nobody has taken yet."""
        return len(self.belt) + len(self._acts)

    def trigger(self, counter: int, ago_ms: float = 0.0) -> None:
        """Part `counter` passed the light barrier so long ago."""
        seen = self._now_ms() - ago_ms
        if not self.control.trigger(counter, seen):
            self._handshake = replace(self._handshake, missed=self._handshake.missed + 1)
            return
        self.belt.append(PlcPart(counter, seen))
        self._handshake = replace(self._handshake, trigger=counter)

    def scan(self) -> None:
        """One cycle: take what the registers say, move the parts that are at the gate, answer."""
        if not self.is_dead:
            self._read()
        self._move()
        if not self.is_dead:
            self._write()

    def _now_ms(self) -> float:
        return self._clock.monotonic() * 1_000

    def _read(self) -> None:
        images = self._link.images()
        if images is None:
            self.image = None
            self._told = None  # whoever answers next may know nothing of what was written
            return
        for image in images:
            self.image = image
            self._take(image, self._now_ms())

    def _take(self, image: GateImage, now: float) -> None:
        doubt = self.control.read(image, now)
        may_come = doubt is GateDoubt.NO_TRIGGER and image.counter > self._handshake.trigger
        if image.verdict == GateVerdict.NONE or doubt in _READ_AGAIN or may_come:
            return
        if doubt is None:
            seen = next((part.seen_ms for part in self.belt if part.counter == image.counter), now)
            self.answer_ms.setdefault(image.counter, now - seen)
        self._handshake = replace(self._handshake, acknowledged=image.counter, acknowledged_verdict=image.verdict)

    def _move(self) -> None:
        now = self._now_ms()
        while self.belt and now - self.belt[0].seen_ms >= self._belt_ms:
            step = self.control.arrive(self.belt.popleft().counter, now)
            self.binned[step.counter] = step
            if step.doubt is not None and self.control.unanswered_in_a_row == self.control.limits.alarm_after:
                self.alarms += 1
            lane = self._lane(step.bin)
            self._lying[lane] += 1
            self._handshake = replace(
                self._handshake,
                acts=self._handshake.acts % 0xFFFF + 1,
                act_counter=step.counter,
                act_lane=lane,
                act_bin=self._sensor(lane),
                act_doubt=_DOUBT_NUMBERS.get(step.doubt, 0) if step.doubt else 0,
            )
            self._acts.append(self._handshake)

    def _sensor(self, lane: int) -> int:
        if self._bin_holds is None or lane == self._lanes.trusted_pass:
            return 0
        return _SENSOR_NUMBERS[self._lying[lane] >= self._bin_holds]

    def _lane(self, bin_: GateBin) -> int:
        lanes = {GateBin.PASS: self._lanes.trusted_pass, GateBin.REJECT: self._lanes.rejected}
        return lanes.get(bin_, self._lanes.diverted)

    def _write(self) -> None:
        """Each act by a request of its own, so that none is overwritten before it was taken."""
        now = self._handshake
        while self._acts:
            act = self._acts[0]
            report = replace(
                now,
                acts=act.acts,
                act_counter=act.act_counter,
                act_lane=act.act_lane,
                act_doubt=act.act_doubt,
                act_bin=act.act_bin,
            )
            if not self._say(report):
                return
            self._acts.popleft()
        if self._told != now:
            self._say(now)

    def _say(self, handshake: Handshake) -> bool:
        taken = self._link.write(handshake)
        self._told = handshake if taken else None
        return taken
