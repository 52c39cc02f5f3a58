"""A broker whose recorded namespace is read from an archive. Whoever reads by assign() need not know.

Topics of the archived namespace come from the archive alone, also where they are live still. Everything else, as the
namespace of a replay, lies on the broker behind, and is written through the guard.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import NoReturn, Self

from linewarden_archive.archive import Archive
from linewarden_archive.entries import ArchiveSegment
from linewarden_runtime.errors import ConfigurationError, LiveTopicRefused, LogTruncated, RetentionOvertook
from linewarden_runtime.ports import (
    Admin,
    Broker,
    Consumer,
    Producer,
    Reader,
    Start,
    TopicDescription,
    TopicSpec,
    TransactionalProducer,
)
from linewarden_runtime.records import InRecord, Position


class ArchiveBroker:
    """As `linewarden_runtime.ports.Broker` promises, for readers and for writers elsewhere; it joins no group."""

    def __init__(self, archive: Archive, behind: Broker) -> None:
        self._archive, self._behind = archive, behind

    @property
    def append_time(self) -> bool:
        """Whether the broker behind stamps records."""
        return self._behind.append_time

    def reader(self, offsets: Mapping[Position, int], *, max_records: int = 256) -> Reader:
        """Read partitions of the archive, or of what lies behind; raises ConfigurationError for both at once."""
        archived = {is_archived(self._archive, place.topic) for place in offsets}
        if archived == {True, False}:
            raise ConfigurationError("one reader reads the archive or the broker behind it, not both")
        if True in archived:
            return ArchiveReader(self._archive, offsets, max_records)
        return self._behind.reader(offsets, max_records=max_records)

    def producer(self, *, client: str = "producer") -> Producer:
        """Write to the broker behind; `IsolatedProducer` keeps it to the own namespace."""
        return self._behind.producer(client=client)

    def admin(self) -> Admin:
        """Topics of the archive as they were, and those behind."""
        return _ArchiveAdmin(self._archive, self._behind.admin)

    def consumer(
        self,
        *,
        group: str,
        topics: Sequence[str],
        instance: str | None = None,
        start: Start = Start.EARLIEST,
        max_records: int = 64,
    ) -> Consumer:
        """Refuse: an archive has no groups."""
        del topics, instance, start, max_records
        _refuse(group)

    def transactional_producer(self, transactional_id: str, writes: Collection[Position] = ()) -> TransactionalProducer:
        """Refuse: what reads an archive takes nobody's identity."""
        del writes
        _refuse(transactional_id)


class _ArchiveAdmin:
    """Topics of the archive as they were; everything else is asked behind, where a client is only made then."""

    def __init__(self, archive: Archive, behind: Callable[[], Admin]) -> None:
        self._archive, self._make_behind = archive, behind
        self._made: Admin | None = None

    @property
    def _behind(self) -> Admin:
        if self._made is None:
            self._made = self._make_behind()
        return self._made

    def create_topics(self, topics: Iterable[TopicSpec]) -> list[str]:
        """Make topics behind; raises LiveTopicRefused for one of the archived namespace."""
        specs = list(topics)
        self._require_behind(*(spec.name for spec in specs))
        return self._behind.create_topics(specs)

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics behind; raises LiveTopicRefused for one of the archived namespace."""
        chosen = list(names)
        self._require_behind(*chosen)
        self._behind.delete_topics(chosen)

    def topics(self) -> frozenset[str]:
        """Names of archived topics, in the archived namespace."""
        return frozenset(map(self._archive.namespace.topic, self._archive.topics))

    def describe(self, name: str) -> TopicDescription:
        """A topic as it was when the archive was begun, or as it is behind."""
        if not is_archived(self._archive, name):
            return self._behind.describe(name)
        source = self._archive.source(name)
        return TopicDescription(name, source.topic_id, source.partitions, {})

    def configure(self, name: str, configs: Mapping[str, str]) -> None:
        """Set a topic behind; raises LiveTopicRefused for one of the archived namespace."""
        self._require_behind(name)
        self._behind.configure(name, configs)

    def topic_id(self, name: str) -> str:
        """The identity that a topic has or had."""
        return self.describe(name).topic_id

    def committed(self, group: str) -> dict[Position, int]:
        """Offsets of a group behind."""
        return self._behind.committed(group)

    def provision(self, group: str, topics: Iterable[str]) -> dict[Position, int]:
        """Refuse: an archive has no groups."""
        del topics
        _refuse(group)

    def close(self) -> None:
        """Close what was made behind."""
        if self._made is not None:
            self._made.close()

    def _require_behind(self, *names: str) -> None:
        for name in filter(partial(is_archived, self._archive), names):
            raise LiveTopicRefused(f"{name!r} is of an archived namespace, which is only read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_archived(archive: Archive, topic: str) -> bool:
    """Whether a physical topic belongs to the namespace of the archive."""
    return topic.startswith(f"{archive.namespace.name}.")


def _refuse(name: str) -> NoReturn:
    raise LiveTopicRefused(f"{name!r}: an archive is read by assign() alone, without groups and transactions")


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
        self._loaded: tuple[ArchiveSegment | None, list[InRecord]] = (None, [])

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

    def _read(self, segment: ArchiveSegment) -> list[InRecord]:
        if self._loaded[0] != segment:
            self._loaded = (segment, self._archive.read(segment))
        return self._loaded[1]

    def _of(self, place: Position) -> list[ArchiveSegment]:
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
        """Hand out these again after a pause."""
        self._paused.difference_update(positions)

    def paused(self) -> frozenset[Position]:
        """List the partitions paused now."""
        return frozenset(self._paused)

    def seek(self, position: Position, offset: int) -> None:
        """Read on from an offset; raises ConfigurationError for a partition that is not read."""
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

    def __exit__(self, *_: object) -> None:
        self.close()
