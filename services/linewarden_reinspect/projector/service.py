"""Keeps a projector running through outages of Redis and Kafka: makes it anew, never gives up, never guesses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import redis
import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.projector.projector import Projector
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable

_log = structlog.get_logger(__name__)
_BACKOFF = Backoff(0.2, 5.0, jitter=(1.0, 1.0))

Making = Callable[[], AbstractContextManager[Projector]]


class ProjectorService:
    """Runs `make()`'s projectors one after the other until told to stop."""

    def __init__(self, make: Making, clock: Clock) -> None:
        self._make, self._clock = make, clock
        self._failures = 0

    def run(self, stop: threading.Event, on_turn: Callable[[bool], None] = lambda _: None) -> None:
        """Follow until `stop` is set, telling at every turn whether the view is current.

        While Redis or Kafka is away the gate closes by itself.
        """
        while not stop.is_set():
            try:
                self._follow(stop, on_turn)
            except (redis.RedisError, BrokerUnavailable) as error:
                metrics.QUEUE_DOWN.labels("projector").inc()
                self._failures += 1
                wait_s = _BACKOFF.wait_s(self._failures)
                _log.warning("projector waits", error=type(error).__name__, detail=str(error), wait_s=wait_s)
                on_turn(False)
                self._clock.wait(stop, wait_s)

    def _follow(self, stop: threading.Event, on_turn: Callable[[bool], None]) -> None:
        with self._make() as projector:
            projector.synchronise()
            while not stop.is_set():
                projector.step()
                on_turn(projector.is_current)
                self._failures = 0
