"""Width, height, channels and depth of a JPEG or PNG, read from its header without decoding anything.

A decoder believes the header and allocates what it says, so the header is held against limits first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from linewarden_schemas.vocabulary import Undecidable

from .refusal import Refused

JPEG_MAGIC = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3}
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture says of itself: size in pixels, channels 1 or 3, bits per sample 8 or 16."""

    content_type: str
    width: int
    height: int
    channels: int
    depth: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def read_picture_header(payload: bytes) -> PictureHeader:
    """Read the header.

    Raises:
        Refused: NOT_A_PICTURE for anything but JPEG and PNG, UNREADABLE where it is damaged, cut short or of a
            kind that no camera sends (CMYK, alpha).
    """
    if payload.startswith(JPEG_MAGIC):
        header = _read_jpeg(payload)
        is_whole = payload.endswith(JPEG_END)
    elif payload.startswith(PNG_MAGIC):
        header = _read_png(payload)
        is_whole = payload.endswith(PNG_END)
    else:
        raise Refused(Undecidable.NOT_A_PICTURE, f"neither JPEG nor PNG: begins with {payload[:8].hex() or 'nothing'}")
    if not is_whole:
        raise Refused(Undecidable.UNREADABLE, f"the {header.content_type} is cut short: its end marker is missing")
    if header.width == 0 or header.height == 0:
        raise Refused(Undecidable.UNREADABLE, f"the picture is {header.width} x {header.height} pixels")
    return header


def _read_png(payload: bytes) -> PictureHeader:
    try:
        length, kind, width, height, depth, colour = struct.unpack_from(">I4sIIBB", payload, len(PNG_MAGIC))
    except struct.error as error:
        raise Refused(Undecidable.UNREADABLE, "the PNG ends inside its header") from error
    if length != 13 or kind != b"IHDR":
        raise Refused(Undecidable.UNREADABLE, "the PNG does not begin with its header")
    if colour not in _PNG_CHANNELS:
        raise Refused(Undecidable.UNREADABLE, f"PNG colour type {colour} (alpha or unknown) is not a camera's")
    return PictureHeader("image/png", width, height, _PNG_CHANNELS[colour], 16 if depth == 16 else 8)


def _read_jpeg(payload: bytes) -> PictureHeader:
    at = 2
    while at + 4 <= len(payload):
        if payload[at] != 0xFF:
            raise Refused(Undecidable.UNREADABLE, f"the JPEG has no marker at byte {at}")
        marker = payload[at + 1]
        if marker == 0xFF:  # a fill byte may stand before any marker
            at += 1
        elif marker in _BARE_MARKERS:
            at += 2
        elif marker in _FRAME_MARKERS:
            return _frame_header(payload, at + 4)
        elif marker in {_START_OF_SCAN, _END_OF_IMAGE}:
            break
        else:
            at += 2 + max(2, int.from_bytes(payload[at + 2 : at + 4], "big"))
    raise Refused(Undecidable.UNREADABLE, "the JPEG has no frame header")


def _frame_header(payload: bytes, at: int) -> PictureHeader:
    try:
        depth, height, width, channels = struct.unpack_from(">BHHB", payload, at)
    except struct.error as error:
        raise Refused(Undecidable.UNREADABLE, "the JPEG ends inside its frame header") from error
    if depth != 8 or channels not in {1, 3}:
        raise Refused(Undecidable.UNREADABLE, f"a JPEG of {channels} channels at {depth} bits is not a camera's")
    return PictureHeader("image/jpeg", width, height, channels, depth)
