"""Looks at the queue for everybody: one summary for all pages, expired leases taken back, gauges set."""

from __future__ import annotations

import threading

import redis
import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.queue.port import Queue
from linewarden_reinspect.queue.types import Ask, SlotStatus, Summary
from linewarden_runtime.clock import Clock

_log = structlog.get_logger(__name__)


class QueueWatch:
    """The newest summary; None before the first look and while Redis is away."""

    def __init__(self, queue: Queue, clock: Clock, every_s: float = 0.5) -> None:
        self._queue, self._clock, self._every_s = queue, clock, every_s
        self._summary: Summary | None = None
        self._asked: dict[tuple[str, str], Ask] = {}
        self._rows: set[tuple[str, str]] = set()
        self._looked_s = float("-inf")
        self.turn = 0

    @property
    def summary(self) -> Summary | None:
        """What waits; `turn` counts up whenever it differs."""
        return self._summary

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            self.look()
            self._clock.wait(stop, self._every_s)

    def look(self) -> None:
        """Look once: at all where something changed, or after five seconds (the gate closes without a change)."""
        now = self._clock.monotonic()
        try:
            self._queue.reap()
            known = self._summary
            if known is None or now - self._looked_s > 5.0 or self._queue.revision() != known.revision:
                self._show(self._queue.summary())
                self._looked_s = now
        except redis.RedisError as error:
            metrics.QUEUE_DOWN.labels("station").inc()
            if self._summary is not None:
                _log.warning("queue away", error=type(error).__name__, detail=str(error))
            self._summary = None
            self._asked = {}
            for row in self._rows:
                metrics.LINE_ASK.labels(*row).set(-1)
            self.turn += 1

    def demands(self) -> dict[str, str]:
        """What lines are asked for, in words, by line and recipe; of an unknown queue that it is not known."""
        if self._summary is None:
            return {"lines": "what is asked of them is not known: the queue cannot be seen"}
        now_ms = self._summary.now_ms
        return {f"line {one.line_id}, {one.recipe_id}": one.words(now_ms) for one in self._summary.demands}

    def _show(self, summary: Summary) -> None:
        self._show_demands(summary)
        gone = set(self._summary.lines if self._summary else ()) - set(summary.lines)
        for line, count in summary.lines.items():
            for status in SlotStatus:
                metrics.SLOTS.labels(line, status.value).set(getattr(count, status.value))
            metrics.OVERDUE.labels(line).set(count.overdue)
            age = (summary.now_ms - count.oldest_ms) / 1000 if count.oldest_ms else 0.0
            metrics.OLDEST_SECONDS.labels(line).set(max(0.0, age))
        for line in gone:
            for status in SlotStatus:
                metrics.SLOTS.labels(line, status.value).set(0)
            metrics.OLDEST_SECONDS.labels(line).set(0)
            metrics.OVERDUE.labels(line).set(0)
        self._summary = summary
        self.turn += 1

    def _show_demands(self, summary: Summary) -> None:
        """A demand is for the line, never for a threshold: all that follows of it is that people hear of it."""
        known, self._asked = self._asked, {(one.line_id, one.recipe_id): one.ask for one in summary.demands}
        for demand in summary.demands:
            row = demand.line_id, demand.recipe_id
            metrics.LINE_ASK.labels(*row).set(2 if demand.ask is Ask.STOP else 1)
            if known.get(row) is not demand.ask:
                _log.warning("line asked", ask=demand.ask.value, words=demand.words(summary.now_ms))
        self._rows |= self._asked.keys()
        for row in self._rows - self._asked.keys():
            metrics.LINE_ASK.labels(*row).set(0)
        for row in known.keys() - self._asked.keys():
            _log.info("line free", line=row[0], recipe=row[1])
        metrics.EVENTS_UNTOLD.set(summary.untold)
