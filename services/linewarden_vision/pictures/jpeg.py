"""The structure of a JPEG: its frame header, whether its scans are all there, where it ends, what its tags say."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from linewarden_vision.pictures.header import PictureHeader, check_tail, several, unreadable

MAGIC = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""The next marker behind entropy-coded data: neither a stuffed byte nor a restart."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_SOS, _EOI, _SOI, _APP0, _APP2, _APP14, _APP15, _COMMENT = 0xDA, 0xD9, 0xD8, 0xE0, 0xE2, 0xEE, 0xEF, 0xFE
_KINDS = {
    0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "hierarchical", 0xC9: "arithmetic-coded",
    0xCA: "arithmetic-coded", 0xCB: "arithmetic-coded", 0xCD: "hierarchical", 0xCE: "hierarchical",
    0xCF: "hierarchical",
}  # fmt: skip


@dataclass(slots=True)
class _FrameHeader:
    """The frame header, and by component how far each of its 64 coefficients is known (-1: not at all)."""

    width: int
    height: int
    progressive: bool
    bits_left: dict[int, list[int]]


@dataclass(slots=True)
class _Walk:
    """What a walk over the markers found; `end` is the place behind the end marker."""

    frame: _FrameHeader | None = None
    end: int = 0
    images: int = 1
    spans: list[tuple[int, int]] = field(default_factory=list)


def read_jpeg(payload: bytes) -> PictureHeader:
    """Read a JPEG's structure.

    Raises:
        PictureRefused: UNREADABLE where it is damaged, cut short, not complete, holds several pictures, or is of a kind
            that is not read (CMYK, more than 8 bits, lossless, arithmetic).
    """
    walk = _walk(payload, 0)
    if walk.images > 1:
        raise several(walk.images)
    frame = walk.frame
    if frame is None:
        raise unreadable("the JPEG has no frame header")
    check_tail(payload, walk.end, MAGIC, lambda at: _count(payload, at))
    missing = sum(any(left for left in bits) for bits in frame.bits_left.values())
    if missing:
        raise unreadable(f"scans of the JPEG are missing: {missing} of its {len(frame.bits_left)} planes are not whole")
    spans = tuple(walk.spans)
    return PictureHeader("image/jpeg", frame.width, frame.height, len(frame.bits_left), 8, spans)


def _count(payload: bytes, at: int) -> int:
    """Pictures from a place on, as far as they can be told apart."""
    found = 0
    while at >= 0:
        found += 1
        end = payload.find(b"\xff\xd9", at)
        at = payload.find(MAGIC, len(payload) if end < 0 else end + 2)
    return found


def _walk(payload: bytes, start: int) -> _Walk:
    walk, kept = _Walk(), start
    for marker, at, end in _segments(payload, start + 2):
        if marker == _EOI:
            walk.spans.append((kept, end))
            walk.end = end
        elif _is_tag(payload, at, marker):
            walk.images = max(walk.images, _images_announced(payload[at + 4 : end]) if marker == _APP2 else 1)
            if kept < at:
                walk.spans.append((kept, at))
            kept = end
        elif marker in _FRAMES:
            _begin_frame(walk, payload, at, end)
        elif marker == _SOS:
            _take_scan(walk, payload[at + 4 : end])
    return walk


def _segments(payload: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Marker, place and end of every segment up to the end marker, coded data skipped.

    Raises:
        PictureRefused: UNREADABLE where the end marker is missing or a segment is broken.
    """
    while at + 2 <= len(payload):
        marker = payload[at + 1]
        if payload[at] != 0xFF:
            raise unreadable(f"the JPEG has no marker at byte {at}")
        if marker == _EOI:
            yield marker, at, at + 2
            return
        if marker == 0xFF or marker in _BARE:  # a fill byte may stand before any marker
            at += 1 if marker == 0xFF else 2
            continue
        if at + 4 > len(payload):
            break
        length = int.from_bytes(payload[at + 2 : at + 4], "big")
        if marker == _SOI or length < 2:
            raise unreadable(f"the JPEG is broken at byte {at}")
        end = at + 2 + length
        if end > len(payload):
            break
        yield marker, at, end
        if marker == _SOS:
            behind = _MARKER.search(payload, end)
            end = behind.start() if behind else len(payload)
        at = end
    raise unreadable("the image/jpeg is cut short: its end marker is missing")


def _is_tag(payload: bytes, at: int, marker: int) -> bool:
    """Whether a segment only speaks about the picture; JFIF and Adobe say how its colours are coded, and stay."""
    if marker == _APP0:
        return payload[at + 4 : at + 9] != b"JFIF\0"
    if marker == _APP14:
        return payload[at + 4 : at + 9] != b"Adobe"
    return _APP0 < marker <= _APP15 or marker == _COMMENT


def _images_announced(segment: bytes) -> int:
    """How many pictures the index of a multi-picture file (CIPA DC-007) names."""
    if segment[:4] != b"MPF\0":
        return 1
    order = "<" if segment[4:6] == b"II" else ">"
    for at in range(4, len(segment) - 11, 2):
        tag, kind, count, number = struct.unpack_from(f"{order}HHII", segment, at)
        if (tag, kind, count) == (0xB001, 4, 1):
            return int(number)
    return 1


def _begin_frame(walk: _Walk, payload: bytes, at: int, end: int) -> None:
    marker = payload[at + 1]
    if marker not in {0xC0, 0xC1, 0xC2}:
        raise unreadable(f"a JPEG of the {_KINDS[marker]} kind is not read here; a usual one is needed")
    try:
        depth, height, width, channels = struct.unpack_from(">BHHB", payload, at + 4)
        names = [payload[at + 10 + 3 * number] for number in range(channels)]
    except (struct.error, IndexError) as error:
        raise unreadable("the JPEG ends inside its frame header") from error
    if walk.frame is not None or end != at + 10 + 3 * channels or len(set(names)) != channels:
        raise unreadable("the JPEG's frame header is broken")
    if depth != 8 or channels not in {1, 3}:
        meaning = " (CMYK or YCCK)" if channels == 4 else ""
        raise unreadable(f"a JPEG of {channels} channels{meaning} at {depth} bits is not a camera's")
    walk.frame = _FrameHeader(width, height, marker == 0xC2, {name: [-1] * 64 for name in names})


def _take_scan(walk: _Walk, segment: bytes) -> None:
    """Note which coefficients of which components a scan brings, and to which bit."""
    frame = walk.frame
    count = segment[0] if segment else 0
    if frame is None or not count or len(segment) != 4 + 2 * count:
        raise unreadable("a scan header of the JPEG is broken")
    first, last, approximation = segment[-3:]
    for name in segment[1 : 1 + 2 * count : 2]:
        if name not in frame.bits_left:
            raise unreadable("a scan of the JPEG is of no plane that it has")
        if frame.progressive:
            frame.bits_left[name][first : min(last, 63) + 1] = [approximation & 15] * (min(last, 63) + 1 - first)
        else:
            frame.bits_left[name] = [0] * 64
