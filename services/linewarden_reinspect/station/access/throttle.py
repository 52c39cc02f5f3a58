"""Failed sign-ins are counted by address and by name; whoever fails too often waits."""

from __future__ import annotations

import threading
from collections import deque

from linewarden_reinspect import metrics
from linewarden_reinspect.station.errors import TooMany
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock

_MINUTE_S = 60.0
_MOST_KEYS = 10_000


class Throttle:
    """So many failures a minute are borne for one address, and as many for one name from whatever addresses."""

    def __init__(self, clock: Clock, failures_per_minute: int = 10) -> None:
        self._clock, self._most = clock, failures_per_minute
        self._failures: Bounded[str, deque[float]] = Bounded(_MOST_KEYS)
        self._lock = threading.Lock()

    def check(self, *keys: str) -> None:
        """Let through, or raise TooMany."""
        with self._lock:
            if any(len(self._recent(key)) >= self._most for key in keys):
                metrics.SIGN_INS.labels("limited").inc()
                raise TooMany("problem.too_many")

    def failed(self, *keys: str) -> None:
        """Count a failure; of more keys than memory should hold, the oldest are forgotten."""
        with self._lock:
            for key in keys:
                self._failures.setdefault(key, deque()).append(self._clock.monotonic())
                self._failures.move_to_end(key)

    def _recent(self, key: str) -> deque[float]:
        times = self._failures.get(key, deque())
        while times and self._clock.monotonic() - times[0] > _MINUTE_S:
            times.popleft()
        return times
