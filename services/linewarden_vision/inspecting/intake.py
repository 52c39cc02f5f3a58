"""What is checked before a picture is judged, in this order, each check cheaper than the harm it prevents.

headers -> size -> digest -> kind -> pixels -> end marker -> decode -> shape. A flipped bit in a JPEG decodes
without an error, so the digest comes before everything that looks at the picture.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.envelope import EnvelopeError, Frame, decode_frame
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import Undecidable

from .picture_header import PictureHeader, read_picture_header
from .refusal import Refused

Picture = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a frame may be at most: bytes of the picture, bytes of all headers, pixels."""

    max_bytes: int = 5 << 20
    max_header_bytes: int = 64 << 10
    max_pixels: int = 25_000_000


def read_frame(headers: Iterable[tuple[str, bytes]], value: bytes | None, limits: Limits) -> Frame:
    """Read the headers of a frame record; the picture is not looked at.

    Raises:
        Refused: BAD_METADATA, after which not even the visit is known.
    """
    listed = tuple(headers)
    size = sum(len(name) + len(content) for name, content in listed)
    if size > limits.max_header_bytes:
        raise Refused(Undecidable.BAD_METADATA, f"{size} bytes of headers; {limits.max_header_bytes} are allowed")
    try:
        return decode_frame(listed, value)
    except EnvelopeError as error:
        raise Refused(Undecidable.BAD_METADATA, str(error)) from error


def verify(frame: Frame, limits: Limits) -> PictureHeader:
    """Check that the picture is the one that was captured, and harmless to decode.

    Raises:
        Refused: TOO_LARGE, DIGEST_MISMATCH, NOT_A_PICTURE or UNREADABLE.
    """
    if len(frame.picture) > limits.max_bytes:
        raise Refused(Undecidable.TOO_LARGE, f"{len(frame.picture)} bytes; {limits.max_bytes} are allowed")
    found = digest(frame.picture)
    if not hmac.compare_digest(found, frame.meta.sha256):
        raise Refused(Undecidable.DIGEST_MISMATCH, f"captured {frame.meta.sha256[:12]}, received {found[:12]}")
    header = read_picture_header(frame.picture)
    if header.content_type != frame.meta.content_type:
        raise Refused(Undecidable.NOT_A_PICTURE, f"{header.content_type} was announced as {frame.meta.content_type}")
    if header.pixels > limits.max_pixels:
        detail = f"{header.width} x {header.height} pixels; {limits.max_pixels} in all are allowed"
        raise Refused(Undecidable.TOO_LARGE, detail)
    return header


def decode_picture(payload: bytes, header: PictureHeader) -> Picture:
    """Decode to HxW or HxWx3 (RGB), uint8 or uint16, in the sensor's own orientation.

    Raises:
        Refused: UNREADABLE where the decoder gives up or gives something else than the header says.
    """
    try:
        decoded = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise Refused(Undecidable.UNREADABLE, f"the decoder refuses the picture: {error.code}") from error
    if decoded is None:
        raise Refused(Undecidable.UNREADABLE, "the decoder cannot read the picture")
    expected = (header.height, header.width) if header.channels == 1 else (header.height, header.width, 3)
    if decoded.shape != expected or decoded.itemsize * 8 != header.depth:
        detail = f"decoded to {decoded.shape} at {decoded.itemsize * 8} bits, the header says {expected}"
        raise Refused(Undecidable.UNREADABLE, detail)
    return decoded if header.channels == 1 else cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
