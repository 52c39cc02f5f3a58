"""What was decided, in an archive, against the signed heads beside it; of what was deleted lawfully, its digests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from heapq import merge

from linewarden_replay.errors import ArchiveDamaged
from linewarden_replay.notary.notary import CHAINED
from linewarden_replay.notary.verify import Found, PartitionCheck, PartitionReport, found_in
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.operations import ChainHead

from .archive import Archive
from .entries import Segment
from .places import read_plain, segment_path
from .segments import salvage_segment

Looked = Callable[[Segment], None]


def verify_chain(
    archive: Archive, keys: Collection[str], looked: Looked = lambda _segment: None
) -> list[PartitionReport]:
    """A report for every chained partition that was archived.

    Of a damaged segment counts what can be read still, so that what follows is verified too; `verify_archive` names the
    damage itself.
    """
    checks: dict[tuple[str, int], PartitionCheck] = {}
    for name in CHAINED:
        source = archive.topics.get(name)
        for partition in range(source.partitions if source else 0):
            segments = archive.segments(name, partition)
            topic, first = archive.namespace.topic(name), segments[0].first_offset if segments else 0
            found = _found(archive, segments, looked)
            checks[topic, partition] = PartitionCheck(topic, partition, found, first, keys)
    for head in heads(archive):
        check = checks.get((head.topic, head.partition))
        if check is not None:
            check.take(head)
    return [check.report() for check in checks.values()]


def heads(archive: Archive) -> Iterator[ChainHead]:
    """Every head that was archived and can be read, in order."""
    for segment in archive.segments("chain-heads"):
        for record in _readable(archive, segment):
            try:
                message = decode(record.headers, record.value).message
            except EnvelopeError:
                continue  # a head that is missing breaks the chain of those after it, which is told there
            if isinstance(message, ChainHead):
                yield message


def _found(archive: Archive, segments: list[Segment], looked: Looked) -> Iterator[Found]:
    for segment in segments:
        kept = map(found_in, _readable(archive, segment))
        yield from merge(kept, _deleted(archive, segment), key=lambda one: one.offset)
        looked(segment)


def _deleted(archive: Archive, segment: Segment) -> list[Found]:
    if segment.generation == 0:
        return []
    try:
        return list(archive.contents(segment).deleted())
    except ArchiveDamaged:
        return []  # the records that it lists are missing then, which is told


def _readable(archive: Archive, segment: Segment) -> list[InRecord]:
    try:
        return archive.read(segment)
    except ArchiveDamaged:
        path = segment_path(archive.root, segment.place)
        try:
            content = read_plain(archive.root, path)
        except (OSError, ConfigurationError):
            return []
        return salvage_segment(content, segment, archive.namespace.topic(segment.topic))
