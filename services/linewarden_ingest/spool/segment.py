"""A segment: one append-only file of records, named by epoch, first sequence and marker."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from linewarden_runtime.files import sync_folder

from .format import MARKER_BYTES, Entry, Kind, find_entry, frame_record, read_entry

_NAME = re.compile(r"^([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f]{16})\.seg$")


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


@dataclass(frozen=True, slots=True)
class Scan:
    """What a walk over a segment found; bytes from `good_end` on hold no whole record."""

    last: Entry | None
    good_end: int
    torn: Entry | None


def new_segment(folder: Path, epoch: int, first_sequence: int) -> Segment:
    """A segment with a fresh marker; its file is not made yet."""
    marker = os.urandom(MARKER_BYTES)
    path = folder / f"{epoch:016x}-{first_sequence:016x}-{marker.hex()}.seg"
    return Segment(path, epoch, first_sequence, marker, last_sequence=first_sequence - 1)


def list_segments(folder: Path) -> list[Segment]:
    """Segments of the newest epoch in the order of their sequences, not scanned yet."""
    found = [
        Segment(path, int(match[1], 16), int(match[2], 16), bytes.fromhex(match[3]), path.stat().st_size)
        for path in folder.iterdir()
        if (match := _NAME.match(path.name))
    ]
    newest = max((segment.epoch for segment in found), default=-1)
    ordered = sorted((one for one in found if one.epoch == newest), key=lambda one: one.first_sequence)
    for segment, after in pairwise(ordered):
        segment.last_sequence = after.first_sequence - 1
    return ordered


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    """The file's bytes, read-only; empty bytes for an empty file, which cannot be mapped."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def walk(data: mmap.mmap | bytes, marker: bytes) -> Iterator[Entry]:
    """Every record header, also those behind damage; the last one's payload may be cut off."""
    end, offset = len(data), 0
    while offset < end:
        entry = read_entry(data, offset, end, marker) or find_entry(data, offset + 1, end, marker)
        if entry is None:
            return
        yield entry
        # A damaged length would have failed the header's CRC, so `end` can be believed.
        offset = entry.end


def scan(segment: Segment) -> Scan:
    """Walk over the segment that was written last, to find where whole records end."""
    last: Entry | None = None
    good_end = 0
    with mapped(segment.path) as data:
        for entry in walk(data, segment.marker):
            if entry.end > len(data):
                return Scan(last, entry.offset, entry)
            last, good_end = entry, entry.end
    return Scan(last, good_end, None)


def shed_pictures(segment: Segment) -> int:
    """Rewrite a sealed segment without its pictures, whole or not at all; how many pictures went.

    Damaged records that still have their header stay without a picture too, as TORN.
    """
    dropped = 0
    temporary = segment.path.with_suffix(".tmp")
    with mapped(segment.path) as data, temporary.open("wb") as file:
        for entry in walk(data, segment.marker):
            kind = Kind.DROPPED if entry.kind is Kind.WHOLE else entry.kind
            dropped += entry.kind is Kind.WHOLE
            file.writelines(frame_record(segment.marker, kind, entry.sequence, entry.header, b""))
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    temporary.replace(segment.path)
    sync_folder(segment.path.parent)
    segment.size, segment.is_shed = size, True
    return dropped
