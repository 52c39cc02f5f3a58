"""The block of results behind the registers: what is shown, for how long, and what the PLC answers. No sockets here."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from linewarden_onward.gate import GateDoubt, GateImage, GateVerdict
from linewarden_onward.interface import GateAct, GatePermission, Notice, OutputAway, OutputRefused, OutputRun
from linewarden_onward.outputs.registers import MOST, Handshake, handshake_of, result_registers
from linewarden_schemas.ids import trigger_in
from linewarden_schemas.vocabulary import Routing

_log = structlog.get_logger(__name__)

_VERDICTS = {
    Routing.TRUSTED_PASS: GateVerdict.PASS,
    Routing.DIVERTED: GateVerdict.DIVERT,
    Routing.REJECTED: GateVerdict.REJECT,
}
_MOST_OPEN = 10_000
"""Parts whose report is waited for, and reports whose part is not known yet; the oldest are forgotten."""
_LOOK_S = 0.02


class GateLanes(BaseModel):
    """The number of each lane at the gate; a gate of two lanes has one number for diverted and rejected parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trusted_pass: int = Field(1, ge=1, le=0xFFFF)
    diverted: int = Field(2, ge=1, le=0xFFFF)
    rejected: int = Field(3, ge=1, le=0xFFFF)

    @model_validator(mode="after")
    def _withheld_parts_lie_apart(self) -> Self:
        if self.trusted_pass in {self.diverted, self.rejected}:
            raise ValueError("the lane of trusted passes takes nothing else")
        return self

    def of(self, routing: Routing) -> int:
        """Where a part of this routing goes."""
        return {
            Routing.TRUSTED_PASS: self.trusted_pass,
            Routing.DIVERTED: self.diverted,
            Routing.REJECTED: self.rejected,
        }[routing]

    def actual(self, lane: int, intended: Routing) -> Routing | None:
        """What a part in this lane got; None for 0 or a lane that is none."""
        if self.of(intended) == lane:
            return intended
        return next((routing for routing in Routing if self.of(routing) == lane), None)


@dataclass(frozen=True, slots=True)
class _ShownResult:
    """What stands in the block, swapped as a whole: a reader sees one or the next."""

    image: GateImage
    permission: GatePermission | None = None


class GateBlock:
    """What one run of an output shows and is answered; `registers` and `wrote` may be called by another thread.

    A result stays for `hold_s` where it is not acknowledged.
    """

    def __init__(self, run: OutputRun, lanes: GateLanes, hold_s: float) -> None:
        self._run, self._lanes, self._hold_s = run, lanes, hold_s
        self._shown = _ShownResult(GateImage(0, GateVerdict.NONE, 0, 0, 0, 0, run.epoch, 0))
        self._heartbeat = 0
        self._handshake = Handshake()
        self._wake = threading.Event()
        self._written: queue.SimpleQueue[tuple[Handshake, int]] = queue.SimpleQueue()
        self._acts: int | None = None
        self._trigger = 0
        self._told: set[str] = set()
        self._intended: OrderedDict[int, tuple[str, Routing]] = OrderedDict()
        self._unclaimed: OrderedDict[int, tuple[Handshake, int]] = OrderedDict()

    def tell(self, notices: Sequence[Notice]) -> None:
        """Show each result until the PLC has acknowledged it; one whose window is over is not shown at all.

        Raises:
            OutputAway: where the PLC is not ready, or does not acknowledge in time.
            OutputRefused: where the visit has no number that fits the registers.
        """
        for notice in notices:
            if notice.key not in self._told:
                self._tell(notice)
                self._told.add(notice.key)
        self._told.clear()

    def beat(self) -> Sequence[GateAct]:
        """Take back a pass whose time is over, move the heartbeat where the time is known, bring what the gate did."""
        self._pulse()
        while not self._written.empty():
            self._note(*self._written.get())
        claimed = [counter for counter in self._unclaimed if counter in self._intended]
        return [self._act(counter) for counter in claimed]

    def withdraw(self) -> None:
        """Take back what is shown."""
        self._shown = _ShownResult(_withdrawn(self._shown.image))

    def _tell(self, notice: Notice) -> None:
        disposition = notice.disposition
        if disposition.revision:
            return  # a gate obeys revision 0 alone
        counter = _counter_of(notice)
        self._intended[counter] = (disposition.visit_id, disposition.routing)
        self._intended.move_to_end(counter)
        if len(self._intended) > _MOST_OPEN:
            self._intended.popitem(last=False)
        now = self._run.now_ms()
        if now is None or now < disposition.decide_by_ms:
            self._show(notice, counter, now)
            self._await_acknowledgement(counter, disposition.decide_by_ms)

    def _show(self, notice: Notice, counter: int, now: int | None) -> None:
        if not self._handshake.ready:
            raise OutputAway("the PLC is not ready")
        routing, permission = notice.disposition.routing, notice.permission
        if permission is None or now is None or not permission.is_open(now) or permission.epoch != self._run.epoch:
            permission = None
            routing = Routing.DIVERTED if routing is Routing.TRUSTED_PASS else routing
        before = self._shown.image
        image = replace(
            before,
            counter=counter,
            counter_again=counter,
            verdict=_VERDICTS[routing],
            lane=self._lanes.of(routing),
            window_ms=0 if permission is None else min(permission.window_ms, MOST),
            sequence=before.sequence if permission is None else permission.sequence,
        )
        self._shown = _ShownResult(image, permission)
        self._withdraw_expired()  # time went by since it was looked at

    def _await_acknowledgement(self, counter: int, decide_by_ms: int) -> None:
        clock = self._run.clock
        until = clock.monotonic() + self._hold_s
        while not self._is_acknowledged(counter):
            now = self._run.now_ms()
            if now is not None and now >= decide_by_ms:
                return  # the PLC's own window is over: silence has said no
            if self._run.stop.is_set() or clock.monotonic() >= until or not self._handshake.ready:
                raise OutputAway(f"the PLC does not acknowledge the result of part {counter}")
            self._pulse()
            clock.wait(self._wake, _LOOK_S)
            self._wake.clear()

    def _is_acknowledged(self, counter: int) -> bool:
        said, verdict = self._handshake, self._shown.image.verdict
        if verdict == GateVerdict.NONE:
            return True  # it was a pass, and has been taken back meanwhile
        return said.acknowledged == counter and said.acknowledged_verdict == verdict

    def _pulse(self) -> None:
        self._withdraw_expired()
        if self._run.now_ms() is not None:  # nothing could open, and the control shall not wait for it
            self._heartbeat = (self._heartbeat + 1) & 0xFFFF

    def _withdraw_expired(self) -> None:
        if not self._is_open(self._shown):
            self.withdraw()

    def _is_open(self, shown: _ShownResult) -> bool:
        if shown.permission is None:
            return True
        now = self._run.now_ms()
        return now is not None and shown.permission.is_open(now)

    def registers(self) -> list[int]:
        """What a request reads now: a pass is looked at once more, since the other thread may stand still."""
        shown = self._shown
        image = shown.image if self._is_open(shown) else _withdrawn(shown.image)
        return result_registers(replace(image, heartbeat=self._heartbeat, trigger_acknowledged=self._handshake.trigger))

    def wrote(self, registers: Sequence[int]) -> None:
        """Take what the PLC wrote, the whole handshake."""
        self._handshake = handshake_of(registers)
        self._written.put((self._handshake, self._run.now_ms() or self._run.clock.now_ms()))
        self._wake.set()

    def _note(self, said: Handshake, at_ms: int) -> None:
        if said.trigger < self._trigger:  # the PLC counts anew: no number means the part that it meant before
            self._intended.clear()
            self._unclaimed.clear()
        self._trigger = said.trigger
        if said.acts == self._acts or not said.acts:
            return
        if self._acts is not None and said.acts != self._acts % 0xFFFF + 1:
            _log.warning("the gate acted unreported", before=self._acts, now=said.acts)
        self._acts = said.acts
        self._unclaimed[said.act_counter] = (said, at_ms)
        if len(self._unclaimed) > _MOST_OPEN:
            self._unclaimed.popitem(last=False)

    def _act(self, counter: int) -> GateAct:
        said, at_ms = self._unclaimed.pop(counter)
        visit_id, intended = self._intended.pop(counter)
        actual = self._lanes.actual(said.act_lane, intended)
        is_full = ACT_BINS.get(said.act_bin)
        return GateAct(visit_id, intended, actual, at_ms, ACT_DOUBTS.get(said.act_doubt), is_full)


ACT_DOUBTS: dict[int, GateDoubt] = {1: GateDoubt.NO_ANSWER, 2: GateDoubt.STANDING}
"""What `act_doubt` means; 0 is none."""

ACT_BINS = {1: False, 2: True}
"""What `act_bin` means; 0 is no sensor, and so is what a PLC's program of before never writes."""


def _withdrawn(image: GateImage) -> GateImage:
    return replace(image, verdict=GateVerdict.NONE, lane=0, window_ms=0)


def _counter_of(notice: Notice) -> int:
    """The number of the visit's trigger, by which the control knows its part."""
    trigger = trigger_in(notice.disposition.visit_id)
    if trigger is None or trigger[1] > MOST:
        reason = "its visit has no number of a trigger in 32 bits, which the registers know a part by"
        raise OutputRefused(notice, reason, cause="no-counter")
    return trigger[1]
