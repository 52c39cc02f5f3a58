"""Opening a spool: where it left off, and the torn end of a process or machine that died, repaired."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from linewarden_ingest.spool.format import Kind, RecordHeader, frame_record, viewed
from linewarden_ingest.spool.segment import Segment, list_segments, walk
from linewarden_runtime.files import FileSystem, write_all


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found. `last_header` is the header of the newest record, `is_torn` whether that has no picture any more.

    `torn_bytes` were cut off the end.
    """

    epoch: int
    segments: list[Segment] = field(default_factory=list)
    next_sequence: int = 0
    last_header: bytes | None = None
    is_torn: bool = False
    torn_bytes: int = 0


def recover(folder: Path, now_ms: int, files: FileSystem) -> Recovered:
    """Find the segments of a folder and repair the end; a folder without any begins a new epoch, `now_ms`.

    A record whose picture is cut off stays as TORN, without it. Where not even a header is whole, the bytes
    go, and one sequence is left out, so that the loss shows.
    """
    for left in files.names(folder):
        # A rewriting that did not come to its end; the segment that it was to replace is whole.
        if left.endswith(".tmp"):
            files.remove(folder / left)
    files.sync_folder(folder)  # the names that are found: a process that died had perhaps not made them durable
    segments = list_segments(folder, files)
    if not segments:
        return Recovered(now_ms)
    newest = segments[-1]
    good_end, whole, torn = _scan(newest, files)
    torn_bytes = newest.size - good_end
    file = files.open(newest.path, os.O_RDWR)
    try:
        if torn_bytes:
            _repair(newest, good_end, torn, files, file)
        files.sync(file)  # and what is read in them
    finally:
        files.close(file)
    # A torn record counts: its sequence was given, and its capture is still to be told.
    last = torn or whole
    newest.last_sequence = last.sequence if last else newest.first_sequence - 1
    # At least one record began there; its number is left out, so that the audit sees a gap and not a quiet end.
    hidden = int(torn_bytes > 0 and torn is None)
    header = last.header if last else _last_header(segments[:-1], files)
    is_torn = torn is not None or (whole is not None and whole.kind is Kind.TORN)  # now, or by a death before
    return Recovered(newest.epoch, segments, newest.last_sequence + 1 + hidden, header, is_torn, torn_bytes)


def _scan(segment: Segment, files: FileSystem) -> tuple[int, RecordHeader | None, RecordHeader | None]:
    """Where the whole records of the segment that was written last end, the last of them, and a torn one behind it."""
    last: RecordHeader | None = None
    good_end = 0
    with viewed(files, segment.path) as data:
        for entry in walk(data, segment.marker):
            # Its header is whole and its picture is cut off: the record that was being written.
            if entry.end > len(data):
                return entry.offset, last, entry
            last, good_end = entry, entry.end
    return good_end, last, None


def _repair(segment: Segment, good_end: int, torn: RecordHeader | None, files: FileSystem, file: int) -> None:
    """Cut the segment behind its last whole record, and tell of a torn one in the room that it took."""
    pieces = [] if torn is None else frame_record(segment.marker, Kind.TORN, torn.sequence, torn.header, b"")
    record = b"".join(pieces)
    segment.size = good_end + len(record)
    # Cut before the write: behind the new record nothing of the old one may be left, or it would look damaged.
    files.cut(file, segment.size)
    write_all(files, file, record, good_end)


def _last_header(segments: list[Segment], files: FileSystem) -> bytes | None:
    for segment in reversed(segments):
        header: bytes | None = None
        with viewed(files, segment.path) as data:
            for entry in walk(data, segment.marker):
                header = entry.header
        if header is not None:
            return header
    return None
