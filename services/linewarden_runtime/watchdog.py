"""Ends the process when a call that has no timeout of its own does not come back."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.errors import Fenced
from linewarden_runtime.metrics import WATCHDOG_EXITS


def _exit(what: str) -> None:
    # Not by the logger or sys.stderr: their locks may be held by the very call that hangs.
    os.write(2, f"watchdog: {what} did not come back; leaving with {Fenced.exit_code}\n".encode())
    os._exit(Fenced.exit_code)


class Watchdog:
    """Guards sections of code by deadline, on one thread for all of them.

    A hung commit cannot be interrupted; a process that starts anew with the same identity aborts what was
    left open. So `overrun` leaves the process, without any clean-up that could hang as well.
    """

    def __init__(
        self, overrun: Callable[[str], None] = _exit, clock: Clock | None = None, *, look: bool = True
    ) -> None:
        self._overrun = overrun
        self._clock = clock or SystemClock()
        self._guarded: dict[object, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._looks = look

    @contextmanager
    def guard(self, what: str, seconds: float) -> Iterator[None]:
        """Let the body take at most `seconds`."""
        key = object()
        with self._lock:
            self._guarded[key] = (what, self._clock.monotonic() + seconds)
            self._start()
        try:
            yield
        finally:
            with self._lock:
                del self._guarded[key]

    def check(self) -> None:
        """Call `overrun` for every section past its deadline; the thread does this by itself."""
        now = self._clock.monotonic()
        with self._lock:
            late = [what for what, deadline in self._guarded.values() if now > deadline]
        # Without the lock: a section that ends meanwhile must not wait for whoever is told.
        for what in late:
            WATCHDOG_EXITS.labels(section=what).inc()
            self._overrun(what)

    def _start(self) -> None:
        if self._thread is None and self._looks:
            # No Background: it ends a process that hangs, and so can ask nobody to stop.
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        # Much shorter than any guarded section, so that a deadline is overrun by little.
        while not self._clock.wait(self._stop, 0.25):
            self.check()

    def close(self) -> None:
        """End the thread and wait for it; nothing is watched any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
