"""Runs a publisher on its thread until everything is acknowledged, or the time to drain is over."""

from __future__ import annotations

import threading

from linewarden_runtime.background import Background
from linewarden_runtime.clock import Clock
from linewarden_runtime.lifecycle import Stop

from .publisher import Publisher

_STEP_S = 0.1
_LAST_BEAT_S = 5.0


class Publishing(Background):
    """The publisher's thread. Its failure asks the process to stop, and `drain` raises it."""

    def __init__(self, publisher: Publisher, clock: Clock, stop: Stop) -> None:
        super().__init__("publisher", self._publish, stop)
        self._publisher, self._clock = publisher, clock
        self._draining = threading.Event()
        self._ended = threading.Event()

    def drain(self, at_most_s: float, *, at_once: bool = False) -> None:
        """Wait until everything is acknowledged; once a stop is asked for, or `at_once`, at most `at_most_s`.

        What is left stays in the spool. Raises what the publisher raised.
        """
        self._draining.set()
        left_s = at_most_s
        while left_s > 0 and not self._clock.wait(self._ended, _STEP_S):
            if at_once or self._stop.is_set():
                left_s -= _STEP_S
        self.until.set("drained")
        self.result()

    def _publish(self, until: Stop) -> None:
        try:
            while not until.is_set():
                self._publisher.step(_STEP_S)
                if self._draining.is_set() and self._publisher.is_drained:
                    break
            self._publisher.beat(_LAST_BEAT_S)
        finally:
            self._publisher.close()
            self._ended.set()
