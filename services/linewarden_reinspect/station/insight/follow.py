"""Follows the topics from outside any group: for the histories, the newest visits and the page of the line."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from itertools import chain

import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.station.insight.index import HistoryIndex, IndexEntry, entries_of
from linewarden_reinspect.station.insight.recent import RecentVisits
from linewarden_reinspect.station.line.model import LineModel
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection, SourceRef

_log = structlog.get_logger(__name__)
INDEXED = ("decisions", "reinspections", "queue-events", "dispositions")
TAILS = ("captures", "inspections")
WHOLE = ("line-state", "activations")
SHIFT_MS = 12 * 3_600_000
"""How far back dispositions are read for the counts of a shift, although the index has them."""
_CONFIRM_S = 5.0
_GATHER_S = 0.2
"""For how long records are let come together: the pages need them by the second, and each look has its price."""
_PLACES_S = 10.0
"""How often places of records that changed nothing are written down."""
_MOST = 256


class TopicFollower:
    """One thread's work. What cannot be read is counted, and the rest goes on.

    Places of what is indexed are kept with the index; the tails are read anew by each process.
    """

    def __init__(
        self,
        broker: Broker,
        namespace: Namespace,
        index: HistoryIndex,
        recent: RecentVisits,
        line: LineModel,
        clock: Clock,
    ) -> None:
        self._broker, self._clock = broker, clock
        self._indexed = [namespace.topic(name) for name in INDEXED]
        self._tails = [namespace.topic(name) for name in TAILS]
        self._whole = [namespace.topic(name) for name in WHOLE]
        self._dispositions = namespace.topic("dispositions")
        self._index, self._recent, self._line = index, recent, line
        self._topic_ids: dict[str, str] = {}
        self._confirmed_s = self._written_s = float("-inf")
        self._places: dict[Position, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set; a broker that does not answer, or an index on a full disk, is tried again."""
        while not stop.is_set():
            try:
                with self._opened() as reader:
                    while not stop.is_set():
                        if self._step(reader) < _MOST:
                            self._clock.wait(stop, _GATHER_S)
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
            self._index.take(self._topic_ids, self._places, ())
            self._line.confirm(self._clock.now_ms())

    def take(self, records: Sequence[InRecord], reader: Reader) -> None:
        """Take in what was read, and where each topic was read to."""
        read = [(message, record) for record in records if (message := _readable(record)) is not None]
        for message, _ in read:
            if isinstance(message, Inspection):
                self._recent.learn(message)
        self._line.learn((message, _place(record), record.timestamp_ms) for message, record in read)
        found: list[IndexEntry] = [one for message, record in read for one in entries_of(record, message)]
        indexed = {record.position for record in records if record.topic in self._indexed}
        self._places |= {position: reader.position(position) for position in indexed}
        now_s = self._clock.monotonic()
        if found or (self._places and now_s - self._written_s > _PLACES_S):
            self._index.take(self._topic_ids, self._places, found)
            self._places, self._written_s = {}, now_s

    def _step(self, reader: Reader) -> int:
        records = reader.poll(0.5)
        now_s = self._clock.monotonic()
        if records:
            self.take(records, reader)
            self._confirmed_s = now_s
        elif now_s - self._confirmed_s > _CONFIRM_S:
            # Silence is either a line at rest or a broker that does not answer: only the broker can tell.
            ends = reader.end_offsets(reader.assignment())
            self._confirmed_s = now_s
            if all(reader.position(position) >= end for position, end in ends.items()):
                self._line.confirm(self._clock.now_ms())
        return len(records)

    def _opened(self) -> Reader:
        with self._broker.admin() as admin:
            self._topic_ids = {topic: admin.describe(topic).topic_id for topic in self._indexed}
        self._places = {}
        topics = [*self._indexed, *self._tails, *self._whole]
        positions = {topic: positions_of(self._broker, topic) for topic in topics}
        reader = self._broker.reader(dict.fromkeys(chain.from_iterable(positions.values()), 0), max_records=_MOST)
        begins, ends = (ask(reader.assignment()) for ask in (reader.beginning_offsets, reader.end_offsets))
        starts: dict[Position, int] = {}
        for topic in self._indexed:
            ours = positions[topic]
            starts |= self._index.start(topic, self._topic_ids[topic], {one: begins[one] for one in ours})
        since = dict.fromkeys(positions[self._dispositions], max(0, self._clock.now_ms() - SHIFT_MS))
        for position, offset in reader.offsets_for_times(since).items():
            if offset is not None:
                starts[position] = min(starts[position], offset)
        for topic in self._tails:
            tail = self._recent.frames // max(1, len(positions[topic]))
            starts |= {one: max(begins[one], ends[one] - tail) for one in positions[topic]}
        starts |= {one: begins[one] for topic in self._whole for one in positions[topic]}
        for position, offset in starts.items():
            reader.seek(position, offset)
        return reader


def _readable(record: InRecord) -> Message | None:
    if record.value is None:
        return None  # a tombstone says only that something is forgotten
    try:
        return decode(record.headers, record.value).message
    except EnvelopeError as error:
        metrics.HISTORY_UNREADABLE.labels(record.topic).inc()
        _log.warning("history unreadable", topic=record.topic, offset=record.offset, detail=str(error))
        return None


def _place(record: InRecord) -> SourceRef:
    return SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)
