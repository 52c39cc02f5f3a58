"""Keeps a projector running through outages of Redis and Kafka: makes it anew, never gives up, never guesses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import redis
import structlog

from linewarden_reinspect import metrics
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable

from .projector import Projector

_log = structlog.get_logger(__name__)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0

Making = Callable[[], AbstractContextManager[Projector]]


class ProjectorService:
    """Runs `make()`'s projectors one after the other until told to stop."""

    def __init__(self, make: Making, clock: Clock) -> None:
        self._make, self._clock = make, clock
        self._wait_s = _FIRST_WAIT_S

    def run(self, stop: threading.Event, on_turn: Callable[[bool], None] = lambda _: None) -> None:
        """Follow until `stop` is set, telling at every turn whether the view is current.

        While Redis or Kafka is away the gate closes by itself.
        """
        while not stop.is_set():
            try:
                self._follow(stop, on_turn)
            except (redis.RedisError, BrokerUnavailable) as error:
                metrics.QUEUE_DOWN.labels("projector").inc()
                _log.warning("projector_waits", error=type(error).__name__, detail=str(error), wait_s=self._wait_s)
                on_turn(False)
                self._clock.wait(stop, self._wait_s)
                self._wait_s = min(_LONGEST_WAIT_S, self._wait_s * 2)

    def _follow(self, stop: threading.Event, on_turn: Callable[[bool], None]) -> None:
        with self._make() as projector:
            projector.synchronise()
            while not stop.is_set():
                projector.step()
                on_turn(projector.is_current)
                self._wait_s = _FIRST_WAIT_S
