"""The record on disk: marker, kind, sequence, lengths and two CRC32C; header and payload are guarded apart.

    marker 8 | kind 1 | 3 unused | sequence 8 | header length 4 | payload length 4 | payload CRC 4 | CRC 4
    header | payload

The last CRC covers everything but the payload. The marker is drawn at random for each segment and stands in
its file name, so that bytes inside a picture cannot pass for a record when a damaged segment is searched.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from crc32c import crc32c

MARKER_BYTES = 8
MAX_HEADER_BYTES = 1 << 20
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


class Buffer(Protocol):
    """What a record is read from: bytes of memory, or a file that is mapped or read piece by piece."""

    def __getitem__(self, at: slice, /) -> bytes:
        """Bytes of a slice."""
        ...

    def find(self, wanted: bytes, start: int, end: int, /) -> int:
        """Where `wanted` begins, -1 for nowhere."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
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


def read_entry(data: Buffer, offset: int, end: int, marker: bytes) -> Entry | None:
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
    return Entry(offset, Kind(kind), sequence, bytes(header), payload_bytes, payload_crc)


def find_entry(data: Buffer, offset: int, end: int, marker: bytes) -> Entry | None:
    """The first whole record header at or after `offset`; how reading goes on behind damage."""
    at = data.find(marker, offset, end)
    while at >= 0:
        entry = read_entry(data, at, end, marker)
        if entry is not None:
            return entry
        at = data.find(marker, at + 1, end)
    return None
