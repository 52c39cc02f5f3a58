"""What was decided, in an archive, against the signed heads beside it; of what was deleted lawfully, its digests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from heapq import merge

from linewarden_archive.archive import Archive
from linewarden_archive.entries import ArchiveSegment, Looked, Opened
from linewarden_archive.findings import ArchiveDamaged
from linewarden_archive.places import read_plain, segment_path
from linewarden_archive.segments import salvage_segment
from linewarden_audit.notary.anchors import Anchor, by_place
from linewarden_audit.notary.notary import CHAINED, head_in
from linewarden_audit.notary.verify import Found, PartitionCheck, PartitionReport, TimeBounds, found_in
from linewarden_audit.notary.verifying import unmet
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.records import InRecord
from linewarden_schemas.operations import ChainHead
from linewarden_schemas.topics import CATALOGUE


def verify_chain(
    archive: Archive, keys: Collection[str], looked: Looked = lambda _segment: None, anchors: Sequence[Anchor] = ()
) -> list[PartitionReport]:
    """A report for every chained partition that was archived.

    What was gone when the archive was begun must be older than the catalogue keeps it; what no head covers must have
    been written shortly before its topic was archived, since heads are archived after it. Of a damaged segment counts
    what can be read still, so that what follows is verified too; `verify_archive` names the damage itself.
    """
    checks: dict[tuple[str, int], PartitionCheck] = {}
    places = by_place(anchors)
    for name in CHAINED:
        written = [one.at_ms for one in archive.segments(name)]
        opened = (one for one in archive.entries if isinstance(one, Opened) and name in one.topics)
        begun_ms = next((one.at_ms for one in opened), None)
        bounds = TimeBounds(max(written, default=None), CATALOGUE[name].retention_ms, begun_ms=begun_ms)
        source = archive.topics.get(name)
        for partition in range(source.partitions if source else 0):
            segments = archive.segments(name, partition)
            topic, first = archive.namespace.topic(name), segments[0].first_offset if segments else 0
            found = _found(archive, segments, looked)
            mine = places.pop((topic, partition), ())
            checks[topic, partition] = PartitionCheck(topic, partition, found, first, keys, bounds, mine)
    for head in heads(archive):
        check = checks.get((head.topic, head.partition))
        if check is not None:
            check.take(head)
    return [*(check.report() for check in checks.values()), *unmet(places)]


def heads(archive: Archive) -> Iterator[ChainHead]:
    """Every head that was archived and can be read, in order."""
    for segment in archive.segments("chain-heads"):
        for record in _readable(archive, segment):
            head = head_in(record)  # one that cannot be read breaks the chain of those after it, which is told there
            if head is not None:
                yield head


def _found(archive: Archive, segments: list[ArchiveSegment], looked: Looked) -> Iterator[Found]:
    for segment in segments:
        deleted: list[Found] = []
        if segment.generation:
            with suppress(ArchiveDamaged):  # the records that it lists are missing then, which is told
                deleted = list(archive.contents(segment).deleted())
        kept = map(found_in, _readable(archive, segment))
        yield from merge(kept, deleted, key=lambda one: one.offset)
        looked(segment)


def _readable(archive: Archive, segment: ArchiveSegment) -> list[InRecord]:
    try:
        return archive.read(segment)
    except ArchiveDamaged:
        path = segment_path(archive.root, segment.place)
        try:
            content = read_plain(archive.root, path)
        except (OSError, ConfigurationError):
            return []
        return salvage_segment(content, segment, archive.namespace.topic(segment.topic))
