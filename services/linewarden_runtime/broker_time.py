"""The broker's time as a process may know it: its own monotonic clock, anchored on append times.

An anchor is a record of its own whose append time came back: the broker stamped it between sending and answer, so its
clock is known as closely as that trip was short. Of the last minute the shortest trip counts, taken from its sending:
so the time told is never behind the broker's but by the drift of a minute, and ahead by one short trip at most. What is
read may be old, and proves only that the broker's time is not earlier; no backlog can make a deadline look further.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from linewarden_runtime.clock import Clock
from linewarden_runtime.metrics import ANCHORS_LOST, CLOCK_ERROR_SECONDS

WINDOW_S = 60.0
"""How long an anchor counts."""

QUIET_S = 5.0
"""Age of the newest anchor at which another is wanted."""

PAUSE_S = 30.0
"""Without append times: how long nothing is believed after a step; what was in flight is over by then."""


class _ClockSample(NamedTuple):
    """Seen at `at` (monotonic s): broker minus monotonic clock is about `ahead_ms`, by a trip of `trip_s`."""

    at: float
    ahead_ms: float
    trip_s: float = 0.0
    sent_at: float = 0.0


class Trip(NamedTuple):
    """The sending of a record: when (monotonic s), and after how many steps of the wall clock."""

    sent_at: float
    steps: int


class BrokerTime:
    """The broker's time, epoch ms; safe on several threads.

    `stamps` False is for the embedded broker, which keeps the producers' time: all processes of its line run on one
    machine, whose wall clock then counts, and after a step of it nothing for `PAUSE_S`.
    """

    def __init__(self, clock: Clock, name: str, *, stamps: bool = True) -> None:
        self._clock, self._name, self.stamps = clock, name, stamps
        self._anchors: deque[_ClockSample] = deque()
        self._reads: deque[_ClockSample] = deque()
        self._apart_ms = self._wall_ahead_ms()
        self._steps, self._stepped_at = 0, float("-inf")
        self._ahead_ms = self._apart_ms
        """What was believed last; timers go on by it while nothing is known."""
        self._is_guess = True
        """Whether that is this machine's wall clock still; the first append time that is read is better."""
        self._lock = threading.Lock()

    def look(self) -> None:
        """Notice a step of the wall clock, or a machine that slept: all anchors are dropped."""
        with self._lock:
            self._look()

    def sending(self) -> Trip:
        """A record is about to be sent."""
        with self._lock:
            self._look()
            return Trip(self._clock.monotonic(), self._steps)

    def answered(self, trip: Trip, append_ms: int | None) -> None:
        """A record was acknowledged now; None where no stamp came back."""
        with self._lock:
            self._look()
            if append_ms is None or not self.stamps:
                return
            now = self._clock.monotonic()
            # Also across a step: that the broker's time is not earlier than this is true all the same.
            self._saw(append_ms, now)
            if trip.steps != self._steps:
                return  # nobody knows on which side of the step it was stamped
            anchor = _ClockSample(now, append_ms - trip.sent_at * 1000, now - trip.sent_at, trip.sent_at)
            # One that is older and no shorter can never count again, so the first is always the shortest of the minute.
            while self._anchors and self._anchors[-1].trip_s >= anchor.trip_s:
                self._anchors.pop()
            self._anchors.append(anchor)
            self._settle(now)

    def saw(self, append_ms: int) -> None:
        """A record with that append time was read, or came back, now: the broker's time is not earlier."""
        with self._lock:
            if self.stamps:
                self._saw(append_ms, self._clock.monotonic())

    def now_ms(self) -> int:
        """The broker's time, as good as it is known; only to be relied on while `is_known`."""
        return self.at_ms(self._clock.monotonic())

    def at_ms(self, at: float) -> int:
        """The same of a moment that is past (monotonic s), by what is known now."""
        with self._lock:
            self._settle(self._clock.monotonic())
            return round(self._ahead_ms + at * 1000)

    @property
    def is_known(self) -> bool:
        """Whether a deadline may be judged by it."""
        with self._lock:
            now = self._clock.monotonic()
            self._settle(now)
            return bool(self._anchors) if self.stamps else now - self._stepped_at >= PAUSE_S

    def is_known_since(self, trip: Trip | None) -> bool:
        """Whether it is known by an anchor that was sent with this trip or later: a step before it would have shown."""
        if not self.is_known or not self.stamps or trip is None:
            return self.is_known
        with self._lock:
            # Any of them, not the one that counts: the shortest trip may be older, and a step before it has dropped it.
            return any(anchor.sent_at >= trip.sent_at for anchor in self._anchors)

    @property
    def age_s(self) -> float:
        """Age of the newest anchor; infinite where there is none."""
        with self._lock:
            return self._clock.monotonic() - self._anchors[-1].at if self._anchors else float("inf")

    def error_ms(self) -> int | None:
        """By how much this machine's wall clock is ahead of the broker's at the least; None while that is not known.

        The broker's time is known to within a trip; of what is possible this is the error next to none.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._settle(now)
            if not self._anchors:
                return None
            wall = self._wall_ahead_ms()
            # What was read bounds the broker's time from below, so the error from above; an anchor bounds the other
            # side.
            at_most = wall - (self._reads[0].ahead_ms if self._reads else self._anchors[0].ahead_ms)
            at_least = min(at_most, wall - self._anchors[0].ahead_ms)
        error_ms = round(min(max(0.0, at_least), at_most))
        CLOCK_ERROR_SECONDS.labels(process=self._name).set(error_ms / 1000)
        return error_ms

    @property
    def steps(self) -> int:
        """How often the wall clock was seen to step."""
        return self._steps

    def _wall_ahead_ms(self) -> float:
        return self._clock.now_ms() - self._clock.monotonic() * 1000

    def _look(self) -> None:
        apart_ms = self._wall_ahead_ms()
        step_ms, self._apart_ms = apart_ms - self._apart_ms, apart_ms
        # The two clocks part by a few ms between two looks; a machine that slept parts them too.
        if abs(step_ms) <= 250:
            return
        self._steps, self._stepped_at = self._steps + 1, self._clock.monotonic()
        # What was read stays: it is a bound from below, and a machine that slept makes it too early, never too late.
        self._anchors.clear()
        ANCHORS_LOST.labels(process=self._name, cause="step").inc()

    def _saw(self, append_ms: int, now: float) -> None:
        read = _ClockSample(now, append_ms - now * 1000)
        # The first is always the latest bound of the minute; an older and lower one can never count again.
        while self._reads and self._reads[-1].ahead_ms <= read.ahead_ms:
            self._reads.pop()
        self._reads.append(read)

    def _settle(self, now: float) -> None:
        """Let go what is older than a minute, and believe the rest."""
        if not self.stamps:
            self._ahead_ms = self._apart_ms if now - self._stepped_at >= PAUSE_S else self._ahead_ms
            return
        had = bool(self._anchors)
        for marks in (self._anchors, self._reads):
            while marks and now - marks[0].at > WINDOW_S:
                marks.popleft()
        if had and not self._anchors:
            ANCHORS_LOST.labels(process=self._name, cause="old").inc()
        if self._anchors:
            self._ahead_ms, self._is_guess = self._anchors[0].ahead_ms, False
        if self._reads:
            read_ms = self._reads[0].ahead_ms
            # A record that was read later than the anchor says shows that the anchor has drifted; it is only moved
            # forward.
            self._ahead_ms, self._is_guess = read_ms if self._is_guess else max(self._ahead_ms, read_ms), False


def words_of(error_ms: float) -> str:
    """A clock that is wrong, in words."""
    side = "ahead of" if error_ms > 0 else "behind"
    seconds = abs(error_ms) / 1000
    return f"this node's clock is {seconds:.1f} s {side} the broker's; set it (chronyc makestep, timedatectl)"
