"""The rule of a gate: what a control must do so that a part passes on its own permission alone, whatever else fails.

A permission is no level of a signal. It names one part by the counter of that part's trigger, it was given after the
trigger, by the newest epoch, by a service whose heartbeat moves, and it is read inside the part's own window, which the
control measures by its own clock or encoder. Everything else is silence, and silence diverts.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class GateVerdict(IntEnum):
    """What a result says of the part that its counter names."""

    NONE = 0
    """No result, or one that was taken back."""
    PASS = 1
    DIVERT = 2
    REJECT = 3


@dataclass(frozen=True, slots=True)
class GateImage:
    """One reading of the block of results; the fields in the order of the registers.

    `counter_again` is written with `counter`: where they differ, two results were read as one. `sequence` counts the
    permissions of `epoch`, `window_ms` is how long this one holds after its trigger, and 0 where it is none.
    """

    counter: int
    verdict: int
    lane: int
    window_ms: int
    sequence: int
    counter_again: int
    epoch: int
    heartbeat: int
    trigger_acknowledged: int = 0


class GateBin(StrEnum):
    """Where the gate put a part; `unknown` lies in the divert lane, and is counted and reviewed apart."""

    PASS = "pass"  # noqa: S105 - a bin, no secret
    DIVERT = "divert"
    REJECT = "reject"
    UNKNOWN = "unknown"


class GateDoubt(StrEnum):
    """Why a reading was not acted on, or why a part went without an answer; the values are for people."""

    OLD_EPOCH = "of an older epoch"
    TORN = "its two counters differ"
    NO_TRIGGER = "no trigger of that counter is open"
    NO_WORD = "no verdict that is known"
    STANDING = "the heartbeat stands still"
    STALE = "given before the trigger"
    LATE = "after the window"
    ALREADY = "that part has its answer"
    NO_ANSWER = "no answer in the window"


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What a control holds by itself. `window` is milliseconds after the trigger, or encoder counts where `by_encoder`.

    The heartbeat must have moved within `heartbeat_ms`; `alarm_after` parts in a row without an answer are an alarm.
    """

    window: int
    heartbeat_ms: int = 1_000
    alarm_after: int = 3
    by_encoder: bool = False


@dataclass(frozen=True, slots=True)
class GateStep:
    """What became of one part at the gate."""

    counter: int
    bin: GateBin
    doubt: GateDoubt | None = None


_KEPT = 256
"""Permissions of which it is kept when they were seen first."""


@dataclass(slots=True)
class _OpenTrigger:
    at_ms: float
    place: float
    given_before: tuple[int, int] | None
    """The newest permission (epoch, sequence) seen until then; None where no block was read yet."""
    answer: GateVerdict = GateVerdict.NONE


class GateControl:
    """The rule with its memory, of one control; all times are of the control's own clock.

    `epoch` is the newest that it saw, which a control keeps over its own restart. `place` is the encoder's count, and
    needed only where the limits are in counts.
    """

    def __init__(self, limits: GateLimits, epoch: int = 0) -> None:
        self.limits, self.epoch = limits, epoch
        self.bins: Counter[GateBin] = Counter()
        self.unanswered_in_a_row = 0
        self._open: dict[int, _OpenTrigger] = {}
        self._last: int | None = None
        self._newest: deque[tuple[float, tuple[int, int]]] = deque(maxlen=_KEPT)
        self._heartbeat: int | None = None
        self._moved_ms: float | None = None

    @property
    def alarm(self) -> bool:
        """Whether too many parts in a row had no answer."""
        return self.unanswered_in_a_row >= self.limits.alarm_after

    def is_live(self, now_ms: float) -> bool:
        """Whether the heartbeat moved within its time; where not, the control lets its own output fall."""
        return self._moved_ms is not None and now_ms - self._moved_ms <= self.limits.heartbeat_ms

    def trigger(self, counter: int, now_ms: float, place: float = 0.0) -> bool:
        """A part was seen at `now_ms`, which may be a moment ago.

        False where its number is not above that of the part before: it has no trigger of its own.
        """
        if self._last is not None and counter <= self._last:
            return False
        self._last = counter
        before = next((given for at_ms, given in reversed(self._newest) if at_ms <= now_ms), None)
        self._open[counter] = _OpenTrigger(now_ms, place, before)
        return True

    def read(self, image: GateImage, now_ms: float, place: float = 0.0) -> GateDoubt | None:
        """Take one reading; None where it is the answer of an open trigger, or says nothing."""
        if image.epoch < self.epoch:
            return GateDoubt.OLD_EPOCH
        self._follow(image, now_ms)
        if image.counter != image.counter_again:
            return GateDoubt.TORN
        doubt = self._take(image, now_ms, place)
        given = (image.epoch, image.sequence)
        if not self._newest or given > self._newest[-1][1]:
            self._newest.append((now_ms, given))
        return doubt

    def arrive(self, counter: int, now_ms: float) -> GateStep:
        """Part `counter` is at the gate: where it goes. Its trigger is closed, and no later word moves anything."""
        held = self._open.pop(counter, None)
        answer = GateVerdict.NONE if held is None else held.answer
        doubt = None
        if answer is GateVerdict.NONE:
            doubt = GateDoubt.NO_ANSWER
        elif answer is GateVerdict.PASS and not self.is_live(now_ms):
            doubt = GateDoubt.STANDING
        step = GateStep(counter, GateBin.UNKNOWN if doubt else _BINS[answer], doubt)
        self.unanswered_in_a_row = self.unanswered_in_a_row + 1 if doubt else 0
        self.bins[step.bin] += 1
        return step

    def _follow(self, image: GateImage, now_ms: float) -> None:
        if image.epoch > self.epoch or self._heartbeat is None:
            # Another writer's number is no movement: two readings of one epoch are needed.
            self.epoch, self._moved_ms = image.epoch, None
        elif image.heartbeat != self._heartbeat:
            self._moved_ms = now_ms
        self._heartbeat = image.heartbeat

    def _take(self, image: GateImage, now_ms: float, place: float) -> GateDoubt | None:
        if image.verdict == GateVerdict.NONE:
            return None
        if image.verdict not in _BINS:
            return GateDoubt.NO_WORD
        held = self._open.get(image.counter)
        if held is None:
            return GateDoubt.NO_TRIGGER
        if self._is_over(held, image, now_ms, place):
            return GateDoubt.LATE
        said = GateVerdict(image.verdict)
        if said is not GateVerdict.PASS:
            held.answer = max(held.answer, said)  # the worst word of a part counts
            return None
        return self._permit(held, image, now_ms)

    def _permit(self, held: _OpenTrigger, image: GateImage, now_ms: float) -> GateDoubt | None:
        if held.answer is not GateVerdict.NONE:
            return None if held.answer is GateVerdict.PASS else GateDoubt.ALREADY
        if held.given_before is None or (image.epoch, image.sequence) <= held.given_before:
            return GateDoubt.STALE
        if not self.is_live(now_ms):
            return GateDoubt.STANDING
        held.answer = GateVerdict.PASS
        return None

    def _is_over(self, held: _OpenTrigger, image: GateImage, now_ms: float, place: float) -> bool:
        own = place - held.place if self.limits.by_encoder else now_ms - held.at_ms
        told = image.verdict == GateVerdict.PASS and now_ms - held.at_ms > image.window_ms
        return own > self.limits.window or told


_BINS = {
    GateVerdict.PASS: GateBin.PASS,
    GateVerdict.DIVERT: GateBin.DIVERT,
    GateVerdict.REJECT: GateBin.REJECT,
}
