"""One segment: made, written whole, read back and compared before anything relies on it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from linewarden_archive.contents import Contents
from linewarden_archive.entries import ArchiveSegment, Deletion
from linewarden_archive.findings import ArchiveDamaged
from linewarden_archive.pictures import read_pictures, salvage_pictures, write_pictures
from linewarden_archive.places import (
    SegmentPlace,
    contents_path,
    ending_of,
    read_plain,
    refuse_links,
    segment_path,
    write_whole,
)
from linewarden_archive.tables import read_table, salvage_table, write_table
from linewarden_runtime.files import sync_folder
from linewarden_runtime.records import InRecord


def _encoded(records: Sequence[InRecord], topic: str) -> bytes:
    return write_pictures(records) if ending_of(topic) == "mcap" else write_table(records, topic)


def write_segment(root: Path, topic: str, records: Sequence[InRecord], at_ms: int) -> ArchiveSegment:
    """Write records of one partition, in offset order, and give their entry for the manifest.

    Raises ArchiveDamaged where the disk does not give back what was written; OSError where it is full.
    """
    content = _encoded(records, topic)
    place = SegmentPlace(topic, records[0].partition, records[0].offset)
    written = _write(root, place, content, Contents.of(records, content))
    entry = ArchiveSegment(
        topic=topic,
        partition=place.partition,
        first_offset=place.first_offset,
        next_offset=records[-1].offset + 1,
        records=len(records),
        first_ms=min(record.timestamp_ms for record in records),
        last_ms=max(record.timestamp_ms for record in records),
        at_ms=at_ms,
        **written,
    )
    _compare(root, entry, records)
    return entry


def thin_segment(
    root: Path, entry: ArchiveSegment, topic: str, offsets: Collection[int], deletion: Deletion, at_ms: int
) -> ArchiveSegment:
    """Write what is left of a segment as its next generation, and give the entry for the manifest.

    The old files are to be deleted once the entry is written. Raises as `read_segment` and `write_segment`.
    """
    left = [record for record in read_segment(root, entry, topic) if record.offset not in offsets]
    content = _encoded(left, entry.topic) if left else b""
    place = entry.place._replace(generation=entry.generation + 1)
    written = _write(root, place, content, read_contents(root, entry).without(offsets, content))
    changes = {"generation": place.generation, "records": len(left), "deletion": deletion, "at_ms": at_ms}
    thinned = entry.model_copy(update=changes | written)
    _compare(root, thinned, left)
    return thinned


def _write(root: Path, place: SegmentPlace, content: bytes, contents: Contents) -> dict[str, Any]:
    """Write both files of a segment, and give what its entry says of them."""
    listed = contents.to_bytes()
    if content:
        write_whole(root, segment_path(root, place), content)
    write_whole(root, contents_path(root, place), listed)
    return {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "contents_sha256": hashlib.sha256(listed).hexdigest(),
    }


def _compare(root: Path, entry: ArchiveSegment, records: Sequence[InRecord]) -> None:
    if records and read_segment(root, entry, records[0].topic) != list(records):
        raise ArchiveDamaged(f"{entry.place}: what lies on the disk is not what was to be archived")


def delete_files(root: Path, place: SegmentPlace) -> None:
    """Take away the files of a generation that another one has followed; raises ConfigurationError for a link."""
    for path in (segment_path(root, place), contents_path(root, place)):
        if path.exists():
            refuse_links(root, path)
            path.unlink(missing_ok=True)
            sync_folder(path.parent)  # gone also when power fails


def read_segment(root: Path, entry: ArchiveSegment, topic: str) -> list[InRecord]:
    """The records of a segment under a physical topic's name; raises ArchiveDamaged for a file that was touched."""
    if not entry.records:
        return []
    path = segment_path(root, entry.place)
    try:
        content = read_plain(root, path)
    except FileNotFoundError as error:
        raise ArchiveDamaged(f"{entry.place}: {path.name} is missing") from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        detail = "is cut" if len(content) < entry.size else "is not what was written"
        raise ArchiveDamaged(f"{entry.place} {detail}; 'linewarden archive verify' says where")
    try:
        read = read_pictures if ending_of(entry.topic) == "mcap" else read_table
        return read(content, topic, entry.partition)
    except ValueError as error:
        raise ArchiveDamaged(f"{entry.place}: {error}") from error


def salvage_segment(content: bytes, entry: ArchiveSegment, topic: str) -> list[InRecord]:
    """What can still be read of a segment's damaged file, as far as it makes records at all."""
    salvage = salvage_pictures if ending_of(entry.topic) == "mcap" else salvage_table
    return [one for one in salvage(content, topic, entry.partition) if _is_record(one)]


def _is_record(one: InRecord) -> bool:
    """Whether what a damaged file gave has the types that it claims."""
    parts = (one.key, one.value, *(value for _, value in one.headers))
    return (
        isinstance(one.offset, int)
        and all(isinstance(name, str) for name, _ in one.headers)
        and all(part is None or isinstance(part, bytes) for part in parts)
    )


def read_contents(root: Path, entry: ArchiveSegment) -> Contents:
    """The list beside a segment; raises ArchiveDamaged where it is missing or was touched."""
    path = contents_path(root, entry.place)
    try:
        raw = read_plain(root, path)
    except FileNotFoundError as error:
        raise ArchiveDamaged(f"{entry.place}: {path.name} is missing") from error
    if hashlib.sha256(raw).hexdigest() != entry.contents_sha256:
        raise ArchiveDamaged(f"{entry.place}: {path.name} is not what was written")
    try:
        return Contents.from_bytes(raw)
    except ValueError as error:
        raise ArchiveDamaged(f"{entry.place}: {error}") from error
