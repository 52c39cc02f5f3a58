"""The structure of a PNG: its header, every chunk with its checksum, where it ends."""

from __future__ import annotations

import struct
import zlib

from linewarden_vision.pictures.header import PictureHeader, check_tail, several, unreadable

MAGIC = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 3}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}


def read_png(payload: bytes, *, alpha: bool = False) -> PictureHeader:
    """Read a PNG's structure; a palette gives three channels, fewer than 8 bits give 8, `alpha` allows for four.

    Raises:
        PictureRefused: UNREADABLE where it is damaged, cut short, animated or transparent.
    """
    header: PictureHeader | None = None
    spans: list[tuple[int, int]] = [(0, len(MAGIC))]
    at, kind = len(MAGIC), b""
    while kind != b"IEND":
        kind, begin, end = _chunk(payload, at)
        if header is None:
            header = _header(kind, payload[begin:end], _CHANNELS | {4: 4, 6: 4} if alpha else _CHANNELS)
        elif kind == b"acTL":
            raise several(max(2, int.from_bytes(payload[begin : begin + 4], "big")))
        elif kind == b"tRNS":
            raise unreadable("a PNG with transparency is not a camera's")
        if kind in {b"IHDR", b"PLTE", b"IDAT", b"IEND"}:
            begins = spans.pop()[0] if spans[-1][1] == at else at
            spans.append((begins, end + 4))
        elif kind[:1].isupper():
            raise unreadable(f"the PNG has a chunk {kind!r} that nobody knows")
        at = end + 4
    check_tail(payload, at, MAGIC, lambda place: payload.count(MAGIC, place))
    if header is None:
        raise unreadable("the PNG does not begin with its header")
    return PictureHeader(header.content_type, header.width, header.height, header.channels, header.depth, tuple(spans))


def _chunk(payload: bytes, at: int) -> tuple[bytes, int, int]:
    """Kind of the chunk at a place, and where its content begins and ends."""
    if at + 12 > len(payload):
        raise unreadable("the image/png is cut short: its end marker is missing")
    length, kind = struct.unpack_from(">I4s", payload, at)
    begin, end = at + 8, at + 8 + length
    if end + 4 > len(payload):
        raise unreadable("the image/png is cut short: its end marker is missing")
    if zlib.crc32(memoryview(payload)[at + 4 : end]) != int.from_bytes(payload[end : end + 4], "big"):
        raise unreadable(f"the checksum of the PNG's chunk {kind!r} at byte {at} is wrong")
    return kind, begin, end


def _header(kind: bytes, content: bytes, channels: dict[int, int]) -> PictureHeader:
    if kind != b"IHDR" or len(content) != 13:
        raise unreadable("the PNG does not begin with its header")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", content)
    if colour not in channels:
        raise unreadable(f"PNG colour type {colour} (alpha or unknown) is not a camera's")
    if depth not in _DEPTHS[colour] or compression or filtering or interlace > 1:
        raise unreadable(f"the PNG's header is broken: {depth} bits at colour type {colour}")
    return PictureHeader("image/png", width, height, channels[colour], 16 if depth == 16 else 8)
