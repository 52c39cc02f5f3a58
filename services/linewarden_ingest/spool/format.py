"""The record on disk and how it is read; header and payload are guarded apart by two CRC32C.

    marker 8 | kind 1 | 3 unused | sequence 8 | header length 4 | payload length 4 | payload CRC 4 | CRC 4
    header | payload

The last CRC covers everything but the payload. The marker is drawn at random for each segment and stands in
its file name, so that bytes inside a picture cannot pass for a record when a damaged segment is searched.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from crc32c import crc32c

from linewarden_runtime.files import FileSystem

MARKER_BYTES = 8
MAX_HEADER_BYTES = 1 << 20
_CHUNK = 4 << 10
"""What is read at a time; a block of the disk, the least that it refuses."""
_LEAD = struct.Struct("<8sB3xQIII")
_CRC = struct.Struct("<I")
FIXED_BYTES = _LEAD.size + _CRC.size


class Kind(IntEnum):
    """What a record holds besides its header."""

    WHOLE = 0
    """The picture."""

    BARE = 1
    """Nothing: there was no picture when it was written."""

    DROPPED = 2
    """Nothing any more: the picture gave way to newer ones."""

    TORN = 3
    """Nothing any more: only a part of the picture had reached the disk."""

    UNKNOWN = 255
    """Something that only a newer version writes and understands."""

    @classmethod
    def _missing_(cls, value: object) -> Kind:  # noqa: ARG003 - enum's signature
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """One record's header as it lies at `offset`; the payload follows it and is not checked yet."""

    offset: int
    kind: Kind
    sequence: int
    header: bytes
    payload_bytes: int
    payload_crc: int

    @property
    def payload_offset(self) -> int:
        """Where the payload begins, in bytes from the beginning of the segment."""
        return self.offset + FIXED_BYTES + len(self.header)

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.payload_offset + self.payload_bytes


def frame_record(marker: bytes, kind: Kind, sequence: int, header: bytes, payload: bytes) -> list[bytes]:
    """A record in pieces, for one vectored write."""
    if len(header) > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {len(header)} bytes; at most {MAX_HEADER_BYTES} can be read back")
    lead = _LEAD.pack(marker, kind, sequence, len(header), len(payload), crc32c(payload))
    return [lead, _CRC.pack(crc32c(header, crc32c(lead))), header, payload]


def read_what_is_left(files: FileSystem, file: int, count: int, offset: int) -> bytes:
    """Read, with zeros in the place of blocks that the disk cannot read any more."""
    try:
        return files.read(file, count, offset)
    except OSError:
        in_block = min(count, _CHUNK - offset % _CHUNK)
        # One block is the least that a disk refuses; its zeros fail the CRC of the record that they are in.
        if in_block == count:
            return bytes(count)
    first = read_what_is_left(files, file, in_block, offset)
    return first + read_what_is_left(files, file, count - in_block, offset + in_block)


class FileView:
    """Bytes up to `end` of an open file; what lies behind is not looked at."""

    def __init__(self, files: FileSystem, file: int, end: int) -> None:
        self._files, self._file, self._end = files, file, end
        self._start, self._data = 0, b""

    def __len__(self) -> int:
        return self._end

    def __getitem__(self, at: slice, /) -> bytes:
        start, stop = int(at.start), min(int(at.stop), self._end)
        if start < self._start or stop > self._start + len(self._data):
            # A chunk at least: a header is asked for in pieces, and pictures are passed over.
            ahead = min(max(stop, start + _CHUNK), self._end)
            self._start, self._data = start, self._read(max(ahead - start, 0), start)
        return self._data[start - self._start : max(stop, start) - self._start]

    def find(self, wanted: bytes, start: int, end: int, /) -> int:
        """Where `wanted` begins, -1 for nowhere; searched in pieces that overlap by the length of what is searched."""
        while start < end:
            piece = self._read(min(MAX_HEADER_BYTES + len(wanted), end - start), start)
            if (at := piece.find(wanted)) >= 0:
                return start + at
            start += MAX_HEADER_BYTES
        return -1

    def _read(self, count: int, offset: int) -> bytes:
        return read_what_is_left(self._files, self._file, count, offset)


@contextmanager
def viewed(files: FileSystem, path: Path) -> Iterator[FileView]:
    """The whole of a file, open meanwhile."""
    file = files.open(path)
    try:
        yield FileView(files, file, files.size(file))
    finally:
        files.close(file)


def read_entry(data: FileView, offset: int, end: int, marker: bytes) -> RecordHeader | None:
    """The record header at `offset`, or None where none is whole there; bytes from `end` on are not looked at."""
    fixed = data[offset : min(offset + FIXED_BYTES, end)]
    if len(fixed) < FIXED_BYTES or fixed[:MARKER_BYTES] != marker:
        return None
    _, kind, sequence, header_bytes, payload_bytes, payload_crc = _LEAD.unpack_from(fixed)
    header_end = offset + FIXED_BYTES + header_bytes
    # Before the CRC, which would be taken over as much as a damaged length says.
    if header_bytes > MAX_HEADER_BYTES or header_end > end:
        return None
    header = data[offset + FIXED_BYTES : header_end]
    if crc32c(header, crc32c(fixed[: _LEAD.size])) != _CRC.unpack_from(fixed, _LEAD.size)[0]:
        return None
    return RecordHeader(offset, Kind(kind), sequence, bytes(header), payload_bytes, payload_crc)


def find_entry(data: FileView, offset: int, end: int, marker: bytes) -> RecordHeader | None:
    """The first whole record header at or after `offset`; how reading goes on behind damage."""
    at = data.find(marker, offset, end)
    while at >= 0:
        entry = read_entry(data, at, end, marker)
        if entry is not None:
            return entry
        at = data.find(marker, at + 1, end)
    return None
