"""From a file to pixels, with the checks of the line; beyond JPEG and PNG also BMP and TIFF."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.intake import Limits, Picture, decode_picture
from linewarden_vision.inspecting.picture_header import read_picture_header
from linewarden_vision.inspecting.refusal import Refused

LIMITS = Limits(max_bytes=512 << 20, max_pixels=64_000_000)
"""Files are larger than what crosses a broker; pixels are bounded by the decoder's own backstop."""
_OTHERS = (b"BM", b"II*\x00", b"MM\x00*")


def read_picture(path: Path, limits: Limits = LIMITS) -> Picture:
    """Decode a file to HxW or HxWx3 (RGB), uint8 or uint16.

    Raises:
        Refused: TOO_LARGE, NOT_A_PICTURE or UNREADABLE.
    """
    payload = _read(path, limits)
    if payload.startswith(_OTHERS):
        return _decode_other(payload, limits)
    header = read_picture_header(payload)
    _check_pixels(header.width, header.height, limits)
    return decode_picture(payload, header)


def _read(path: Path, limits: Limits) -> bytes:
    try:
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise Refused(Undecidable.TOO_LARGE, f"{size} bytes; {limits.max_bytes} are allowed")
        return path.read_bytes()
    except OSError as error:
        raise Refused(Undecidable.UNREADABLE, f"the file cannot be read: {error.strerror}") from error


def _decode_other(payload: bytes, limits: Limits) -> Picture:
    try:
        decoded = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise Refused(Undecidable.UNREADABLE, f"the decoder refuses the picture: {error.code}") from error
    if decoded is None:
        raise Refused(Undecidable.UNREADABLE, "the decoder cannot read the picture")
    _check_pixels(decoded.shape[1], decoded.shape[0], limits)
    is_colour = decoded.ndim == 3 and decoded.shape[2] == 3
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB) if is_colour else decoded


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise Refused(Undecidable.TOO_LARGE, f"{width} x {height} pixels; {limits.max_pixels} in all are allowed")
