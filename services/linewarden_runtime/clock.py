"""Time as a parameter: a system clock and one that a test moves by hand."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where code gets its time from; wall time for records, monotonic time for durations."""

    def now_ms(self) -> int:
        """Wall time, UTC, in milliseconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, of no meaning but their difference."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set or the time is over; whether it is set."""


class SystemClock:
    """The clock of this machine: wall time may step, monotonic time never goes back."""

    def now_ms(self) -> int:
        """Wall time, UTC, in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Block in the operating system, at most `seconds`."""
        return event.wait(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until it is moved; waiting moves it, so nothing ever sleeps."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = float(now_ms)
        self._monotonic = 0.0
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """Answer the wall time it was moved to."""
        return int(self._now_ms)

    def monotonic(self) -> float:
        """Answer the seconds it was moved since it was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move wall and monotonic time forward together."""
        with self._lock:
            self._now_ms += seconds * 1000
            self._monotonic += seconds

    def set_wall(self, now_ms: int) -> None:
        """Move wall time alone, also backwards, as a corrected clock does."""
        self._now_ms = float(now_ms)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return at once: true if the event is set, else after moving the clock by `seconds`."""
        if event.is_set():
            return True
        self.advance(max(0.0, seconds))
        return False
