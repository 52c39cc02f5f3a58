"""An archive read as if its topics were there still."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Self

from linewarden_runtime.errors import ConfigurationError, LogTruncated, RetentionOvertook
from linewarden_runtime.records import InRecord, Position

from .archive import Archive
from .entries import Segment


class ArchiveReader:
    """Reads given partitions, as `linewarden_runtime.ports.Reader` promises; one segment is held in memory.

    What was deleted lawfully and what a gap tells of is passed over. Raises ArchiveDamaged for a segment that is not
    what was written.
    """

    def __init__(self, archive: Archive, offsets: Mapping[Position, int], max_records: int) -> None:
        self._archive, self._max_records = archive, max_records
        self._positions = dict(offsets)
        self._paused: set[Position] = set()
        self._segments = {place: self._of(place) for place in offsets}
        self._loaded: tuple[Segment | None, list[InRecord]] = (None, [])

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[InRecord]:  # noqa: ARG002 - nothing to wait for
        """Next records of one partition; partitions come one after the other."""
        limit = max_records or self._max_records
        for place in sorted(self._positions.keys() - self._paused):
            records = self._take(place, limit)
            if records:
                return records
        return []

    def _take(self, place: Position, limit: int) -> list[InRecord]:
        segments, wanted = self._segments[place], self._positions[place]
        if segments and wanted < segments[0].first_offset:
            raise RetentionOvertook(place, wanted, segments[0].first_offset)
        if wanted > self._end(place):
            raise LogTruncated(f"{place}: offset {wanted} is wanted, the archive ends at {self._end(place)}")
        for segment in segments[bisect_right(segments, wanted, key=lambda one: one.next_offset) :]:
            held = self._read(segment)
            first = bisect_left(held, wanted, key=lambda record: record.offset)
            records = held[first : first + limit]
            is_done = first + limit >= len(held)
            self._positions[place] = segment.next_offset if is_done else records[-1].offset + 1
            if records:
                return records
        return []

    def _read(self, segment: Segment) -> list[InRecord]:
        if self._loaded[0] != segment:
            self._loaded = (segment, self._archive.read(segment))
        return self._loaded[1]

    def _of(self, place: Position) -> list[Segment]:
        if place.partition >= self.partitions(place.topic):
            raise ConfigurationError(f"{place} is not in {self._archive.root}")
        return self._archive.segments(self._archive.namespace.logical(place.topic), place.partition)

    def _end(self, place: Position) -> int:
        segments = self._segments[place]
        return segments[-1].next_offset if segments else 0

    def assignment(self) -> frozenset[Position]:
        """List the partitions being read."""
        return frozenset(self._positions)

    def pause(self, positions: Collection[Position]) -> None:
        """Hand out nothing more of these."""
        self._paused.update(positions)

    def resume(self, positions: Collection[Position]) -> None:
        """Undo pause."""
        self._paused.difference_update(positions)

    def paused(self) -> frozenset[Position]:
        """List the partitions paused now."""
        return frozenset(self._paused)

    def seek(self, position: Position, offset: int) -> None:
        """Read on from `offset`."""
        if position not in self._positions:
            raise ConfigurationError(f"{position} is not assigned to this reader")
        self._positions[position] = offset

    def position(self, position: Position) -> int:
        """Give the offset to be read next."""
        return self._positions[position]

    def beginning_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Offset of the oldest record that was archived."""
        return {place: self._segments[place][0].first_offset if self._segments[place] else 0 for place in positions}

    def end_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Offset after the newest record that was archived."""
        return {place: self._end(place) for place in positions}

    def offsets_for_times(self, times_ms: Mapping[Position, int]) -> dict[Position, int | None]:
        """Offset of the first record at or after a time."""
        return {place: self._first_at(place, at_ms) for place, at_ms in times_ms.items()}

    def _first_at(self, place: Position, at_ms: int) -> int | None:
        for segment in self._segments[place]:
            if segment.first_ms >= at_ms:
                return segment.first_offset
            if segment.last_ms >= at_ms:
                later = (one.offset for one in self._read(segment) if one.timestamp_ms >= at_ms)
                return next(later, segment.next_offset)
        return None

    def partitions(self, topic: str) -> int:
        """How many partitions a topic had."""
        return self._archive.source(topic).partitions

    def close(self) -> None:
        """Let go of what was read."""
        self._loaded = (None, [])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
