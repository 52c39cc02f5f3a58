"""Follows the topics of a namespace into an archive: committed records alone, from where the manifest ends."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from linewarden_archive.archive import Archive, ArchiveWriter
from linewarden_archive.entries import ArchivedTopic, ArchiveSegment, Opened, RetentionGap
from linewarden_archive.segments import write_segment
from linewarden_runtime.books import read_to_end
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError, LogTruncated, RetentionOvertook
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.ids import Namespace


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """When a segment is closed: after so many records or bytes.

    `held_bytes` bounds what all open segments hold together: the largest is closed early.
    """

    records: int = 5_000
    segment_bytes: int = 32 << 20
    held_bytes: int = 128 << 20


class Archiver:
    """One for an archive; it belongs to the thread that has the right to write (`archive.writing`).

    Raises ConfigurationError for an archive of another namespace, a topic that is missing or was made anew,
    LogTruncated where a topic ends before the archive does, and RetentionOvertook where records went before they were
    archived, unless `accept_gap` names who knows: the gap is then entered.
    """

    def __init__(
        self,
        broker: Broker,
        namespace: Namespace,
        writer: ArchiveWriter,
        topics: Collection[str],
        clock: Clock,
        limits: ArchiveLimits | None = None,
        *,
        accept_gap: str | None = None,
    ) -> None:
        self._broker, self._namespace, self._writer, self._clock = broker, namespace, writer, clock
        self._limits, self._accept_gap = limits or ArchiveLimits(), accept_gap
        self.records = self.segments = 0
        self._open: defaultdict[Position, list[InRecord]] = defaultdict(list)
        self._held_bytes: Counter[Position] = Counter()
        with broker.admin() as admin:
            described = {name: admin.describe(namespace.topic(name)) for name in topics}
        now = {name: ArchivedTopic(topic_id=one.topic_id, partitions=one.partitions) for name, one in described.items()}
        self._begin(now)
        self._places = [Position(one.name, at) for one in described.values() for at in range(one.partitions)]

    def catch_up(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Take everything up to the end as it is now, and close all segments.

        `progress` is told the records taken so far, and about how many there are: offsets, markers among them.
        """
        with self._reader() as reader:
            ends = reader.end_offsets(self._places)
            total = sum(max(0, ends[place] - reader.position(place)) for place in self._places)
            for done, record in enumerate(read_to_end(reader), start=1):
                self._take(record)
                progress(done, total)
        self._close(list(self._open))

    def _begin(self, now: dict[str, ArchivedTopic]) -> None:
        """Tell of topics that are archived from now on; refuse an archive of other topics."""
        known: dict[str, ArchivedTopic] = {}
        if not self._writer.is_new:
            archive = Archive(self._writer.root)
            known = archive.topics
            if archive.namespace != self._namespace:
                raise ConfigurationError(
                    f"{archive.root} is of {archive.namespace.name}, not of {self._namespace.name}"
                )
        other = sorted(name for name, source in now.items() if known.get(name, source) != source)
        if other:
            raise ConfigurationError(
                f"{self._writer.root} holds another topic of the name {', '.join(other)}; begin another archive"
            )
        new = {name: source for name, source in now.items() if name not in known}
        if new:
            opened = Opened(namespace=self._namespace.name, topics=new, at_ms=self._clock.now_ms())
            self._writer.enter(opened)

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        """A reader that stands where the archive ends."""
        archive = Archive(self._writer.root)
        ended: dict[Position, int] = {}
        told: list[ArchiveSegment | RetentionGap] = [*archive.segments(), *archive.gaps()]
        for one in told:
            position = Position(self._namespace.topic(one.topic), one.partition)
            ended[position] = max(one.next_offset, ended.get(position, 0))
        with self._broker.reader(dict.fromkeys(self._places, 0), max_records=64) as reader:
            oldest, ends = reader.beginning_offsets(self._places), reader.end_offsets(self._places)
            for place in self._places:
                wanted, first = ended.get(place), oldest[place]
                if wanted is not None and wanted > ends[place]:
                    raise LogTruncated(f"{place} ends at {ends[place]}, and was archived up to {wanted}")
                if wanted is not None and wanted < first:
                    self._enter_gap(place, wanted, first)
                reader.seek(place, max(first, wanted or 0))
            yield reader

    def _enter_gap(self, position: Position, wanted: int, first: int) -> None:
        if self._accept_gap is None:
            raise RetentionOvertook(position, wanted, first)
        self._writer.enter(
            RetentionGap(
                topic=self._namespace.logical(position.topic),
                partition=position.partition,
                first_offset=wanted,
                next_offset=first,
                actor=self._accept_gap,
                at_ms=self._clock.now_ms(),
            )
        )

    def _take(self, record: InRecord) -> None:
        place, limits, held = record.position, self._limits, self._held_bytes
        self._open[place].append(record)
        held[place] += record.size
        if len(self._open[place]) >= limits.records or held[place] >= limits.segment_bytes:
            self._close([place])
        elif held.total() >= limits.held_bytes:
            self._close([place for place, _ in held.most_common(1)])

    def _close(self, due: list[Position]) -> None:
        for position in due:
            records = self._open.pop(position)
            del self._held_bytes[position]
            topic = self._namespace.logical(position.topic)
            self._writer.enter(write_segment(self._writer.root, topic, records, self._clock.now_ms()))
            self.records, self.segments = self.records + len(records), self.segments + 1
