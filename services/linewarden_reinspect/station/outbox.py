"""Carries the queue's transitions to Kafka. They lie in Redis until Kafka has them, so a station may die at any point.

Several stations may carry the same event; its id is the same each time, and readers keep the first.
"""

from __future__ import annotations

import threading
from functools import partial

import redis

from linewarden_reinspect import metrics
from linewarden_reinspect.queue.port import Queue
from linewarden_reinspect.queue.types import Transition
from linewarden_reinspect.station.bus import StationBus
from linewarden_runtime.clock import Clock

_EVERY_S = 0.5
_AT_ONCE = 500


class Outbox:
    """Belongs to one thread; only acknowledgements come from others."""

    def __init__(self, queue: Queue, bus: StationBus, clock: Clock) -> None:
        self._queue, self._bus, self._clock = queue, bus, clock
        self._lock = threading.Lock()
        self._on_their_way: set[str] = set()
        self._arrived: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Carry until `stop` is set; what is left is carried by whoever comes next."""
        while not stop.is_set():
            try:
                self.carry()
            except redis.RedisError:
                metrics.QUEUE_DOWN.labels("station").inc()
            self._clock.wait(stop, _EVERY_S)

    def carry(self) -> None:
        """Drop what Kafka has, and send what is not on its way yet. Raises redis.RedisError."""
        with self._lock:
            arrived = list(self._arrived)
        self._queue.told(arrived)
        with self._lock:
            del self._arrived[: len(arrived)]
            self._on_their_way.difference_update(arrived)
            fresh = [one for one in self._queue.events(_AT_ONCE) if one.event_id not in self._on_their_way]
            self._on_their_way.update(one.event_id for one in fresh)
        for one in fresh:
            self._bus.pass_on(one, partial(self._done, one))

    def _done(self, happened: Transition, failure: Exception | None) -> None:
        with self._lock:
            if failure is None:
                self._arrived.append(happened.event_id)
                metrics.LEASES.labels(happened.event).inc()
            else:
                self._on_their_way.discard(happened.event_id)
                metrics.EVENTS_RETRIED.inc()
