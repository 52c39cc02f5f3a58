"""What a gate's tests share: notices of numbered parts, and a line whose time, faults and control are one thread."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from linewarden_onward.gate import GateControl, GateImage, GateLimits
from linewarden_onward.interface import GateAct, GatePermission, Notice, OutputAway, OutputRun
from linewarden_onward.outputs.gate_block import GateBlock, GateLanes
from linewarden_onward.outputs.registers import Handshake, handshake_registers, result_of
from linewarden_onward.simulated_plc import PlcLink, SimulatedPlc
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import visit_id
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import Cause, Routing

WINDOW_MS = 300
START_MS = 1_700_000_000_000
LANES = GateLanes()


def notice(
    counter: int,
    routing: Routing = Routing.TRUSTED_PASS,
    *,
    seen_ms: int = START_MS,
    epoch: int = 1,
    sequence: int | None = None,
    window_ms: int = WINDOW_MS,
    revision: int = 0,
) -> Notice:
    """Part `counter` was seen at `seen_ms`; a pass has a permission, whose sequence is its counter's by default."""
    visit = visit_id("line1", "st1", seen_ms, counter)
    disposition = Disposition(
        visit_id=visit,
        revision=revision,
        routing=routing,
        final=routing is Routing.TRUSTED_PASS,
        causes=(Cause.LOW_TRUST,) if routing is Routing.DIVERTED else (),
        line_id="line1",
        recipe=RecipeRef(recipe_id="r", version=1, digest="0" * 64),
        first_captured_ms=seen_ms,
        decide_by_ms=seen_ms + window_ms,
        decided_ms=seen_ms,
    )
    if routing is not Routing.TRUSTED_PASS or revision:
        return Notice(disposition)
    number = counter + 1 if sequence is None else sequence
    return Notice(disposition, GatePermission(visit, counter, number, epoch, seen_ms + window_ms, window_ms))


def seen_at(counter: int) -> int:
    """When the line sees part `counter`, ms after its start: every 100 ms, and none before the control has read."""
    return 500 + 100 * counter


class ServerKilled(BaseException):
    """The server's process is gone, wherever it stood."""


@dataclass
class FaultyLine:
    """A belt, a control and the output's block in one thread, on a clock that faults may stop at any look at it.

    The server looks at the time directly before each write, between check and write, after each write, while it waits
    and while it answers: at every look `chance` may kill it, freeze it, and let the control read late or half.
    """

    routings: Sequence[Routing]
    seed: int = 0
    kills: float = 0.0
    freezes: float = 0.0
    lates: float = 0.0
    torn: float = 0.0
    kill_at: int | None = None
    now: float = 0.0
    epoch: int = 0
    looks: int = 0
    acts: list[GateAct] = field(default_factory=list)
    granted: dict[int, float] = field(default_factory=dict)
    block: GateBlock | None = None

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.link = FaultyLink(self)
        limits = GateLimits(WINDOW_MS, heartbeat_ms=100)
        self.plc = SimulatedPlc(self.link, GateControl(limits), LANES, self, WINDOW_MS)
        self._pending: list[tuple[float, int]] = []
        self._next, self._frozen, self._answering = 0, False, False
        self._dead = False

    def run(self) -> SimulatedPlc:
        """All parts through the gate; what is left at the control when the belt is empty is its own."""
        while not self._is_over():
            self.epoch += 1
            try:
                self._serve()
            except ServerKilled:
                self.block, self._dead = None, False
                self._ticks(self.chance.randrange(1, 40))
        return self.plc

    def look(self) -> int:
        """The broker's time as the server looks at it; what it does with it may be long after."""
        now = self.now_ms()
        self.looks += 1
        if self._dead and not self._answering:
            raise ServerKilled
        if self.looks == self.kill_at or self.chance.random() < self.kills:
            self._dead = True
            if not self._answering:
                raise ServerKilled
        elif not self._answering and self.chance.random() < self.freezes:
            self._frozen = True
            self._ticks(self.chance.randrange(1, 80))
            self._frozen = False
        return now

    def now_ms(self) -> int:
        """Wall time; the server's looks at the broker's are counted apart."""
        return START_MS + int(self.now)

    def monotonic(self) -> float:
        """Seconds, the same clock for everybody; that they run apart is the freezes' business."""
        return self.now / 1_000

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """The world goes on meanwhile."""
        self._ticks(max(1, round(seconds * 100)))
        return event.is_set()

    def answer(self) -> list[int] | None:
        """What the server answers to a request now; None where nobody does."""
        if self.block is None or self._frozen or self._dead:
            return None
        self._answering = True
        registers = self.block.registers()
        self._answering = False
        return None if self._dead else registers

    def take(self, handshake: Handshake) -> bool:
        """What the control writes; whether anybody took it."""
        if self.block is None or self._frozen or self._dead:
            return False
        self._answering = True
        self.block.wrote(handshake_registers(handshake))
        self._answering = False
        return not self._dead

    def _serve(self) -> None:
        run = OutputRun("line1", self.epoch, self, threading.Event(), self.look)
        self.block = block = GateBlock(run, LANES, 0.1)
        sequence = 0
        while not self._is_over():
            due = [counter for at, counter in self._pending if at <= self.now]
            told = []
            for counter in due:
                sequence += 1
                told.append(self._notice(counter, sequence))
            try:
                block.tell(told)
            except OutputAway:
                sequence -= len(due)
            else:
                self._pending = [one for one in self._pending if one[1] not in due]
            self.acts += block.beat()
            self.wait(run.stop, 0.02)

    def _notice(self, counter: int, sequence: int) -> Notice:
        seen = START_MS + seen_at(counter)
        made = notice(counter, self.routings[counter], seen_ms=seen, epoch=self.epoch, sequence=sequence)
        if made.permission is not None:
            self.granted.setdefault(counter, self.now)
        return made

    def _is_over(self) -> bool:
        return self._next == len(self.routings) and not self.plc.belt and self.now > seen_at(len(self.routings)) + 2_000

    def _ticks(self, count: int) -> None:
        for _ in range(count):
            self.now += 10
            while self._next < len(self.routings) and seen_at(self._next) <= self.now:
                self.plc.trigger(self._next)
                self._pending.append((self.now + self.chance.randrange(20, 200), self._next))
                self._next += 1
            self.plc.scan()


class FaultyLink(PlcLink):
    """The registers as the control of that line gets them: now, as they were once, or two halves of two readings."""

    def __init__(self, line: FaultyLine) -> None:
        self._line = line
        self._seen: list[list[int]] = []

    def read(self) -> GateImage | None:
        """One reading; None where nobody answers."""
        chance = self._line.chance
        registers = self._line.answer()
        if self._seen and chance.random() < self._line.lates:
            return result_of(chance.choice(self._seen[-100:]))
        if registers is None:
            return None
        before = self._seen[-1] if self._seen else registers
        self._seen.append(registers)
        if chance.random() < self._line.torn:
            cut = chance.randrange(1, 10)  # up to the second counter; what lies behind it is of one writer
            return result_of([*before[:cut], *registers[cut:]])
        return result_of(registers)

    def write(self, handshake: Handshake) -> bool:
        """One writing; whether it was taken."""
        return self._line.take(handshake)

    def close(self) -> None:
        """Nothing is open."""
