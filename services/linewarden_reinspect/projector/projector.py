"""The projector: follows `reinspections` by assign() from the offsets that the view itself holds.

State and offsets are one step in Redis, so whatever becomes of Redis (killed, emptied, an older replica promoted)
the projector looks where the view stands and goes on from there, or builds it anew. Two projectors do no harm:
a record that the other has taken in changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.projector.changes import change_of
from linewarden_reinspect.projector.plan import Log, why_rebuild
from linewarden_reinspect.queue.errors import ViewDamaged, ViewMoved
from linewarden_reinspect.queue.port import ProjectedQueue
from linewarden_reinspect.queue.types import Change
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import LogTruncated, Poison, RetentionOvertook
from linewarden_runtime.ports import Admin, Reader
from linewarden_runtime.records import InRecord, Position

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProjectorPace:
    """How often the projector looks and confirms. The gate outlives a few beats, so that a hiccup does not close it."""

    poll_s: float = 0.1
    beat_s: float = 1.0
    identity_s: float = 15.0
    gate_ms: int = 10_000
    max_age_ms: int = 6 * 3_600_000
    batch: int = 500


class Projector:
    """One view and one topic, by one thread. `poisoned` is told of every record that is no slot."""

    def __init__(
        self,
        view: ProjectedQueue,
        reader: Reader,
        admin: Admin,
        topic: str,
        clock: Clock,
        *,
        pace: ProjectorPace | None = None,
        poisoned: Callable[[Poison], None] | None = None,
    ) -> None:
        self._view, self._reader, self._admin, self._topic = view, reader, admin, topic
        self._clock, self._pace = clock, pace or ProjectorPace()
        self._poisoned = poisoned or (lambda _: None)
        self._expected: dict[int, int] = {}
        self._goal: Mapping[Position, int] = {}
        self._goal_s = float("-inf")
        self._topic_id = ""
        self._beaten = self._identified = float("-inf")
        self._current = False

    @property
    def is_current(self) -> bool:
        """Whether the view was whole and current at the last beat."""
        return self._current

    def synchronise(self) -> str | None:
        """Look where the view stands and seek there; empty it where it cannot be followed.

        Answers the cause of a rebuild, or None.
        """
        self._current = False
        log = self._look()
        try:
            standing = self._view.standing()
        except ViewDamaged as damage:
            _log.error("view damaged", detail=str(damage))
            return self._empty(log, "damaged")
        cause = why_rebuild(standing, log, self._pace.max_age_ms)
        if cause is not None:
            return self._empty(log, cause)
        self._seek(log.topic_id, {partition: standing.offsets[partition] for partition in log.ends})
        return None

    def rebuild(self, cause: str = "asked") -> int:
        """Empty the view and fill it from the topic to its end as it is now; answers how many records were read.

        The gate is closed until the end is reached.
        """
        self._empty(self._look(), cause)
        return self.catch_up()

    def catch_up(self) -> int:
        """Take in everything up to the end as it is now, then confirm; answers how many records were read."""
        taken, goal = 0, self._ends()
        while not self._has_reached(goal):
            taken += self._take()
        self._beat()
        return taken

    def step(self) -> int:
        """Take in what is there, confirm when it is time; look again where the view moved."""
        try:
            taken = self._take()
            self._confirm()
        except ViewDamaged as damage:
            _log.error("view damaged", detail=str(damage))
            self._empty(self._look(), "damaged")
            return 0
        except (ViewMoved, LogTruncated, RetentionOvertook) as error:
            metrics.RESYNCS.inc()
            _log.warning("view moved", cause=type(error).__name__, detail=str(error))
            self.synchronise()
            return 0
        return taken

    def _look(self) -> Log:
        positions = self._reader.assignment()
        begins, ends = self._reader.beginning_offsets(positions), self._reader.end_offsets(positions)
        return Log(self._admin.topic_id(self._topic), _by_partition(begins), _by_partition(ends))

    def _empty(self, log: Log, cause: str) -> str:
        metrics.REBUILDS.labels(cause).inc()
        _log.warning("view rebuild", cause=cause, topic=self._topic)
        self._current = False
        self._view.wipe(log.topic_id, log.begins)
        self._seek(log.topic_id, log.begins)
        return cause

    def _seek(self, topic_id: str, offsets: Mapping[int, int]) -> None:
        self._topic_id, self._expected = topic_id, dict(offsets)
        self._identified = self._clock.monotonic()
        self._beaten = float("-inf")
        self._goal, self._goal_s = self._ends(), self._clock.monotonic()
        for partition, offset in offsets.items():
            self._reader.seek(Position(self._topic, partition), offset)

    def _take(self) -> int:
        records = self._reader.poll(self._pace.poll_s, self._pace.batch)
        if records:
            changes = [self._change(record) for record in records]
            self._expected |= self._view.apply(self._topic_id, changes, self._expected)
            metrics.PROJECTED.inc(len(changes))
        return len(records)

    def _change(self, record: InRecord) -> Change:
        try:
            return change_of(record)
        except Poison as poison:
            metrics.UNREADABLE.labels(poison.cause).inc()
            _log.error("slot unreadable", cause=poison.cause, detail=poison.detail, offset=record.offset)
            self._poisoned(poison)
            return Change(record.partition, record.offset)

    def _confirm(self) -> None:
        now = self._clock.monotonic()
        if now - self._identified >= self._pace.identity_s:
            self._identified = now
            if self._admin.topic_id(self._topic) != self._topic_id:
                raise ViewMoved("the topic was made anew")
        if now - self._beaten >= self._pace.beat_s and self._has_reached(self._goal):
            if (now - self._goal_s) * 1000 <= self._pace.gate_ms:
                self._beat()
            self._goal, self._goal_s = self._ends(), self._clock.monotonic()

    def _ends(self) -> Mapping[Position, int]:
        return self._reader.end_offsets(self._reader.assignment())

    def _has_reached(self, goal: Mapping[Position, int]) -> bool:
        """Whether the end as it was at a look is reached; the present one runs away on a busy line."""
        return all(self._reader.position(position) >= end for position, end in goal.items())

    def _beat(self) -> None:
        self._view.beat(self._topic_id, self._expected, self._pace.gate_ms)
        self._beaten = self._clock.monotonic()
        self._current = True


def _by_partition(offsets: Mapping[Position, int]) -> dict[int, int]:
    return {position.partition: offset for position, offset in offsets.items()}
