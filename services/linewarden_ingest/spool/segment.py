"""A segment: one append-only file of records, named by epoch, first sequence and marker."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from linewarden_ingest.spool.format import (
    MARKER_BYTES,
    FileView,
    Kind,
    RecordHeader,
    find_entry,
    frame_record,
    read_entry,
    viewed,
)
from linewarden_runtime.files import FileSystem, write_all


@dataclass(slots=True, eq=False)
class Segment:
    """What is known of a segment; `last_sequence` is first_sequence - 1 while it is empty."""

    path: Path
    epoch: int
    first_sequence: int
    marker: bytes
    size: int = 0
    last_sequence: int = -1
    is_shed: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no record was written yet."""
        return self.last_sequence < self.first_sequence


def new_segment(folder: Path, epoch: int, first_sequence: int, draw: Callable[[int], bytes]) -> Segment:
    """A segment with a fresh marker; its file is not made yet. `draw` gives random bytes."""
    marker = draw(MARKER_BYTES)
    path = folder / f"{epoch:016x}-{first_sequence:016x}-{marker.hex()}.seg"
    return Segment(path, epoch, first_sequence, marker, last_sequence=first_sequence - 1)


def list_segments(folder: Path, files: FileSystem) -> list[Segment]:
    """Segments of the newest epoch in the order of their sequences, not scanned yet."""
    named = re.compile(r"^([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f]{16})\.seg$")
    found = [
        Segment(folder / name, int(match[1], 16), int(match[2], 16), bytes.fromhex(match[3]))
        for name in files.names(folder)
        if (match := named.match(name))
    ]
    # Files of an older epoch are of a spool that was lost; nothing of them can be put into order with this one.
    newest = max((segment.epoch for segment in found), default=-1)
    ordered = sorted((one for one in found if one.epoch == newest), key=lambda one: one.first_sequence)
    for segment in ordered:
        with viewed(files, segment.path) as data:
            segment.size = len(data)
    # Without a walk: sequences follow on each other from segment to segment. Only the newest must be scanned.
    for segment, after in pairwise(ordered):
        segment.last_sequence = after.first_sequence - 1
    return ordered


def walk(data: FileView, marker: bytes) -> Iterator[RecordHeader]:
    """Every record header, also those behind damage; the last one's payload may be cut off."""
    end, offset = len(data), 0
    while offset < end:
        entry = read_entry(data, offset, end, marker) or find_entry(data, offset + 1, end, marker)
        if entry is None:
            return
        yield entry
        # A damaged length would have failed the header's CRC, so `end` can be believed.
        offset = entry.end


def shed_pictures(segment: Segment, files: FileSystem) -> int:
    """Rewrite a sealed segment without its pictures, whole or not at all; how many pictures went.

    Damaged records that still have their header stay without a picture too, as TORN. Raises OSError, and then the
    segment stands as it was.
    """
    temporary = segment.path.with_suffix(".tmp")
    file = files.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        size, dropped = _write_bare(segment, files, file)
        # Before the renaming, or a power cut could leave the name with an empty file.
        files.sync(file)
        files.replace(temporary, segment.path)
    except OSError:
        files.remove(temporary)
        raise
    finally:
        files.close(file)
    segment.size, segment.is_shed = size, True
    with suppress(OSError):  # the file as it was may come back after a power cut, and is as good
        files.sync_folder(segment.path.parent)
    return dropped


def _write_bare(segment: Segment, files: FileSystem, file: int) -> tuple[int, int]:
    """Write the segment's records without their pictures; bytes written and pictures left out."""
    size = dropped = 0
    with viewed(files, segment.path) as data:
        for entry in walk(data, segment.marker):
            kind = Kind.DROPPED if entry.kind is Kind.WHOLE else entry.kind
            dropped += entry.kind is Kind.WHOLE
            record = b"".join(frame_record(segment.marker, kind, entry.sequence, entry.header, b""))
            write_all(files, file, record, size)
            size += len(record)
    return size, dropped
