"""Opening a spool: where it left off, and the torn end of a process or machine that died, repaired."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from .format import Entry, Kind, frame_record
from .segment import Segment, list_segments, mapped, scan, walk


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found. `last_header` is the header of the newest record; `torn_bytes` were cut off the end."""

    epoch: int
    segments: list[Segment] = field(default_factory=list)
    next_sequence: int = 0
    last_header: bytes | None = None
    torn_bytes: int = 0


def recover(folder: Path, now_ms: int) -> Recovered:
    """Find the segments of a folder and repair the end; a folder without any begins a new epoch, `now_ms`.

    A record whose picture is cut off stays as TORN, without it. Where not even a header is whole, the bytes
    go, and one sequence is left out, so that the loss shows.
    """
    for left in folder.glob("*.tmp"):
        left.unlink()
    segments = list_segments(folder)
    if not segments:
        return Recovered(now_ms)
    newest = segments[-1]
    found = scan(newest)
    torn_bytes = newest.size - found.good_end
    last = _repair(newest, found.good_end, found.torn) if torn_bytes else found.last
    newest.last_sequence = last.sequence if last else newest.first_sequence - 1
    hidden = int(torn_bytes > 0 and found.torn is None)
    header = last.header if last else _last_header(segments[:-1])
    return Recovered(newest.epoch, segments, newest.last_sequence + 1 + hidden, header, torn_bytes)


def _repair(segment: Segment, good_end: int, torn: Entry | None) -> Entry | None:
    with segment.path.open("r+b") as file:
        file.truncate(good_end)
        file.seek(good_end)
        if torn is not None:
            file.writelines(frame_record(segment.marker, Kind.TORN, torn.sequence, torn.header, b""))
        file.flush()
        os.fsync(file.fileno())
    again = scan(segment)
    segment.size = again.good_end
    return again.last


def _last_header(segments: list[Segment]) -> bytes | None:
    for segment in reversed(segments):
        header: bytes | None = None
        with mapped(segment.path) as data:
            for entry in walk(data, segment.marker):
                header = entry.header
        if header is not None:
            return header
    return None
