"""Files of pictures as cameras, encoders, shares and networks leave them: whole ones, and each kind that is none."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def textured(height: int = 40, width: int = 56, channels: int = 1, seed: int = 5) -> Picture:
    """A picture in which every row and column differs."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.asarray(smooth.reshape(height, width, channels) if channels > 1 else smooth.reshape(height, width))


def encoded(picture: Picture, suffix: str, *options: int) -> bytes:
    """As OpenCV writes it."""
    return cv2.imencode(suffix, picture, list(options))[1].tobytes()


def cut_between_markers(jpeg: bytes, share: float) -> bytes:
    """A JPEG whose scan lost its end, with the end marker in place: what packet loss in a stream leaves."""
    start = jpeg.index(b"\xff\xda") + 10
    scan = jpeg[start:-2]
    return jpeg[:start] + scan[: int(len(scan) * share)] + b"\xff\xd9"


def restarts(jpeg: bytes) -> list[int]:
    """Places of a JPEG's restart markers."""
    return [at for at in range(len(jpeg) - 1) if jpeg[at] == 0xFF and 0xD0 <= jpeg[at + 1] <= 0xD7]


def scans(jpeg: bytes) -> list[int]:
    """Places of a JPEG's scan headers."""
    return [at for at in range(len(jpeg) - 1) if jpeg[at : at + 2] == b"\xff\xda"]


def with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    """A JPEG with one segment more, right behind its beginning."""
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def turned(jpeg: bytes, tag: int) -> bytes:
    """A JPEG whose EXIF says that it is to be shown turned."""
    ifd = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHIHH", 0x112, 3, 1, tag, 0) + bytes(4)
    return with_segment(jpeg, 0xE1, b"Exif\0\0" + ifd)


def stereo(first: bytes, second: bytes) -> bytes:
    """A multi-picture file of two JPEGs, with its index."""
    index = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 0xB001, 4, 1, 2) + bytes(4)
    return with_segment(first, 0xE2, b"MPF\0" + index) + second


def png_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Kinds and contents."""
    found, at = [], len(PNG_MAGIC)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """The PNG of chunks, their checksums right."""
    parts = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    ]
    return PNG_MAGIC + b"".join(parts)


def png_with(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one chunk more, behind its header."""
    head, *rest = png_chunks(png)
    return png_of([head, (kind, content), *rest])


def png_data(png: bytes, change: Any) -> bytes:
    """A PNG whose compressed pixels went through `change`; everything else is right."""
    chunks = png_chunks(png)
    data = change(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    return png_of([chunks[0], (b"IDAT", data), (b"IEND", b"")])


def tiff(samples: Picture, **tags: int) -> bytes:
    """A TIFF of one strip; tags by their numbers as `t274=6`, over what would be written."""
    height, width = samples.shape[:2]
    bands = 1 if samples.ndim == 2 else samples.shape[2]
    bits = samples.itemsize * 8
    form = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    data = samples.tobytes()
    end = 8 + len(data)
    shorts = {258: bits, 259: 1, 262: 1 if bands == 1 else 2, 277: bands, 339: form}
    shorts |= {int(name[1:]): value for name, value in tags.items()}
    longs = {256: width, 257: height, 273: 8, 278: height, 279: len(data)}
    body = b""
    for tag in sorted(shorts | longs):
        if tag == 258 and bands > 2:
            body += struct.pack("<HHII", tag, 3, bands, end)
        elif tag in longs:
            body += struct.pack("<HHII", tag, 4, 1, longs[tag])
        else:
            body += struct.pack("<HHIHH", tag, 3, 1, shorts[tag], 0)
    depths = struct.pack(f"<{bands}H", *[bits] * bands)
    count = struct.pack("<H", len(shorts | longs))
    return b"II*\0" + struct.pack("<I", end + len(depths)) + data + depths + count + body + bytes(4)
