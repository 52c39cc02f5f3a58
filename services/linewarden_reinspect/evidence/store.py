"""Evidence by frame: an index of offsets held in memory, the records themselves in a cache or fetched again."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.evidence.cache import RecordCache
from linewarden_reinspect.evidence.fetch import PlacedRecords
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.ports import Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.inspection import Evidence

_log = structlog.get_logger(__name__)


class EvidenceStore:
    """Follows `evidence` in a thread of its own (`run`); `get` may be called from any thread.

    `make_reader` opens a reader of all partitions: one follows, one fetches what fell out of the cache.
    """

    def __init__(self, make_reader: Callable[[], Reader], cache_bytes: int, clock: Clock) -> None:
        self._make_reader, self._clock = make_reader, clock
        self._cache = RecordCache(cache_bytes)
        self._places: dict[str, tuple[Position, int]] = {}
        self._fetcher = PlacedRecords(make_reader)
        self._current = False

    @property
    def is_current(self) -> bool:
        """Whether the index has once reached the end of the topic."""
        return self._current

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set; a broker that is away is asked again."""
        while not stop.is_set():
            try:
                with self._make_reader() as reader:
                    self._follow(reader, stop)
            except RuntimeFault as fault:
                _log.warning("evidence reader made anew", cause=type(fault).__name__, detail=str(fault))
                self._clock.wait(stop, 1.0)
        self._fetcher.close()

    def _follow(self, reader: Reader, stop: threading.Event) -> None:
        positions = reader.assignment()
        for position, offset in reader.beginning_offsets(positions).items():
            reader.seek(position, offset)
        ends = reader.end_offsets(positions)
        while not stop.is_set():
            for record in reader.poll(0.1):
                self.learn(record)
            self._current = self._current or all(reader.position(p) >= end for p, end in ends.items())

    def learn(self, record: InRecord) -> None:
        """Take in one record of the topic; a tombstone forgets its frame."""
        if record.key is None:
            metrics.EVIDENCE_UNREADABLE.inc()
            return
        frame_id = record.key.decode(errors="replace")
        if record.value is None:
            self._places.pop(frame_id, None)
            self._cache.drop(frame_id)
        else:
            self._cache.put(frame_id, record)
            self._places[frame_id] = record.position, record.offset
        metrics.EVIDENCE_BYTES.set(self._cache.size_bytes)

    def knows(self, frame_id: str) -> bool:
        """Whether there is evidence of a frame, with its picture or without."""
        return frame_id in self._places

    def get(self, frame_id: str) -> Evidence | None:
        """The newest evidence of a frame; None while there is none. Raises BrokerUnavailable."""
        place = self._places.get(frame_id)
        if place is None:
            return None
        record = self._cache.get(frame_id) or self._fetch(frame_id, *place)
        if record is None:
            return None
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError as error:
            metrics.EVIDENCE_UNREADABLE.inc()
            _log.error("evidence unreadable", detail=str(error), partition=record.partition, offset=record.offset)
            return None
        return message if isinstance(message, Evidence) else None

    def beside(self, visit_id: str, view_id: str, most: int) -> tuple[str, ...]:
        """Frames of this view of up to `most` visits before and after, in order; visits elsewhere minted have none.

        Ids of visits of one station lie in the order of their triggers.
        """
        station = visit_id.rsplit(".", 2)[0]
        alike = re.compile(rf"({re.escape(station)}\.\d{{13}}\.\d{{6,}})\.{re.escape(view_id)}\.[0-9a-f]+-[0-9a-f]+")
        found = sorted((match[1], match[0]) for match in map(alike.fullmatch, tuple(self._places)) if match)
        before = [frame for visit, frame in found if visit < visit_id]
        after = [frame for visit, frame in found if visit > visit_id]
        return (*before[-most:], *after[:most])

    def _fetch(self, frame_id: str, position: Position, offset: int) -> InRecord | None:
        """One record; None where compaction took it, its successor being on the way to the index."""
        record = self._fetcher.fetch(position, offset)
        if record is not None:
            self._cache.put(frame_id, record)
        return record
