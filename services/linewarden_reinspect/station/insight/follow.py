"""Follows the topics from outside any group, for the index of histories and for the newest visits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from itertools import chain

import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.station.insight.index import HistoryEvent, HistoryIndex, Slot, entries_of
from linewarden_reinspect.station.insight.recent import RecentVisits
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection

_log = structlog.get_logger(__name__)


class TopicFollower:
    """One thread's work. What cannot be read is counted, and the rest goes on."""

    def __init__(
        self, broker: Broker, namespace: Namespace, index: HistoryIndex, recent: RecentVisits, clock: Clock
    ) -> None:
        self._broker, self._clock = broker, clock
        self._indexed = [namespace.topic(name) for name in ("decisions", "reinspections", "queue-events")]
        self._inspections = namespace.topic("inspections")
        self._index, self._recent = index, recent
        self._topic_ids: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set; a broker that does not answer, or an index on a full disk, is tried again."""
        while not stop.is_set():
            try:
                with self._opened() as reader:
                    while not stop.is_set():
                        self.take(reader.poll(0.5), reader)
            except (RuntimeFault, sqlite3.Error) as fault:
                if isinstance(fault, sqlite3.Error):
                    metrics.BOOK_FAILURES.inc()
                _log.warning("history waits", error=type(fault).__name__, detail=str(fault))
                self._clock.wait(stop, 2.0)

    def catch_up(self) -> None:
        """Take in everything up to the end as it is now."""
        with self._opened() as reader:
            ends = reader.end_offsets(reader.assignment())
            while any(reader.position(position) < end for position, end in ends.items()):
                self.take(reader.poll(0.2), reader)

    def take(self, records: Sequence[InRecord], reader: Reader) -> None:
        """Take in what was read, and where each topic was read to."""
        found: list[HistoryEvent | Slot] = []
        places: dict[Position, int] = {}
        for record in records:
            found += self._learn(record)
            if record.topic != self._inspections:
                position = Position(record.topic, record.partition)
                places[position] = reader.position(position)
        if places:
            self._index.take(self._topic_ids, places, found)

    def _learn(self, record: InRecord) -> list[HistoryEvent | Slot]:
        if record.value is None:
            return []  # a tombstone says only that something is forgotten
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError as error:
            metrics.HISTORY_UNREADABLE.labels(record.topic).inc()
            _log.warning("history unreadable", topic=record.topic, offset=record.offset, detail=str(error))
            return []
        if isinstance(message, Inspection):
            self._recent.learn(message)
            return []
        return entries_of(record, message)

    def _opened(self) -> Reader:
        with self._broker.admin() as admin:
            self._topic_ids = {topic: admin.describe(topic).topic_id for topic in self._indexed}
        inspections = positions_of(self._broker, self._inspections)
        positions = {topic: positions_of(self._broker, topic) for topic in self._indexed}
        reader = self._broker.reader(dict.fromkeys([*inspections, *chain.from_iterable(positions.values())], 0))
        for topic, ours in positions.items():
            starts = self._index.start(topic, self._topic_ids[topic], reader.beginning_offsets(ours))
            for position, offset in starts.items():
                reader.seek(position, offset)
        begins, ends = reader.beginning_offsets(inspections), reader.end_offsets(inspections)
        tail = self._recent.frames // max(1, len(inspections))
        for position in inspections:
            reader.seek(position, max(begins[position], ends[position] - tail))
        return reader
