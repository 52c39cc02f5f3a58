"""The structure of BMP and WebP, and the names of what is not read at all."""

from __future__ import annotations

import struct

from linewarden_vision.pictures.header import PictureHeader, check_tail, several, unreadable


def read_bmp(payload: bytes) -> PictureHeader:
    """Read an uncompressed BMP: 24 or 32 bit (without alpha), or a palette, which is grey where all of it is.

    Raises:
        PictureRefused: UNREADABLE for any other, and where it is cut short.
    """
    try:
        offset, size, width, height, planes, bits, compression = struct.unpack_from("<IIiiHHI", payload, 10)
        (used,) = struct.unpack_from("<I", payload, 46)
    except struct.error as error:
        raise unreadable("the BMP ends inside its header") from error
    if size < 40 or planes != 1 or width <= 0 or bits not in {1, 4, 8, 24, 32} or compression:
        raise unreadable(f"a BMP of {bits} bits with compression {compression} is not read; plain ones are")
    end = offset + (width * bits + 31) // 32 * 4 * abs(height)
    if end > len(payload):
        raise unreadable("the BMP is cut short: rows are missing")
    check_tail(payload, end, b"BM")
    palette = payload[14 + size : offset]
    colours = min(used or 1 << bits, len(palette) // 4)
    grey = bits <= 8 and all(len(set(palette[4 * number : 4 * number + 3])) == 1 for number in range(colours))
    return PictureHeader("image/bmp", width, abs(height), 1 if grey else 3, 8)


def read_webp(payload: bytes) -> PictureHeader:
    """Read a WebP of one picture without alpha.

    Raises:
        PictureRefused: UNREADABLE for any other, and where it is cut short.
    """
    end = 8 + int.from_bytes(payload[4:8], "little")
    if end > len(payload):
        raise unreadable("the WebP is cut short")
    check_tail(payload, end + end % 2 if end + end % 2 <= len(payload) else end, b"RIFF")
    chunks = list(_chunks(payload, end))
    frames = sum(kind == b"ANMF" for kind, _, _ in chunks)
    if frames or any(kind == b"ANIM" for kind, _, _ in chunks):
        raise several(max(2, frames))
    for kind, begin, length in chunks:
        if kind == b"ALPH" or (kind == b"VP8X" and payload[begin] & 0x10):
            raise unreadable("a WebP with transparency is not a camera's")
        if kind == b"VP8 " and length >= 10:
            width, height = struct.unpack_from("<HH", payload, begin + 6)
            return PictureHeader("image/webp", width & 0x3FFF, height & 0x3FFF, 3, 8)
        if kind == b"VP8L" and length >= 5:
            packed = int.from_bytes(payload[begin + 1 : begin + 5], "little")
            if packed >> 28 & 1:
                raise unreadable("a WebP with transparency is not a camera's")
            return PictureHeader("image/webp", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, 3, 8)
    raise unreadable("the WebP holds no picture")


def _chunks(payload: bytes, end: int) -> list[tuple[bytes, int, int]]:
    found: list[tuple[bytes, int, int]] = []
    at = 12
    while at + 8 <= end:
        length = int.from_bytes(payload[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise unreadable("the WebP is cut short")
        found.append((payload[at : at + 4], at + 8, length))
        at += 8 + length + length % 2
    return found


def named(payload: bytes) -> str:
    """The name of a format that is not read, as far as it is known by its first bytes; else those bytes."""
    if payload[4:8] == b"ftyp":
        return f"HEIF or AVIF ({payload[8:12].decode('ascii', 'replace')})"
    for begin, name in _NAMES.items():
        if payload.startswith(begin):
            return f"{name}{_gif_frames(payload) if name == 'GIF' else ''}"
    return f"begins with {payload[:8].hex() or 'nothing'}"


_NAMES = {
    b"GIF8": "GIF",
    b"II+\0": "BigTIFF",
    b"MM\0+": "BigTIFF",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"P5": "PGM",
    b"P6": "PPM",
    b"<svg": "SVG",
}


def _gif_frames(payload: bytes) -> str:
    """How many pictures a GIF holds, where it holds several."""
    frames, at = 0, 13 + _gif_table(payload[10:11])
    while payload[at : at + 1] in {b"\x21", b"\x2c"}:
        if payload[at] == 0x2C:
            frames += 1
            at += 11 + _gif_table(payload[at + 9 : at + 10])
        else:
            at += 2
        while at < len(payload) and payload[at]:
            at += 1 + payload[at]
        at += 1
    return f" of {frames} pictures" if frames > 1 else ""


def _gif_table(flags: bytes) -> int:
    """Bytes of a colour table that flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0
