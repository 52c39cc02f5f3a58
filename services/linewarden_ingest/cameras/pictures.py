"""JPEG and PNG pass through as they are; everything else is encoded once, by setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from .interface import ContentType, EncodedPicture, RawPicture

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"


class Unreadable(ValueError):
    """Bytes or an array that no picture can be made of."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures that come raw are encoded. PNG keeps every grey value; JPEG does not, and is 8 bits deep."""

    format: Literal["png", "jpeg"] = "png"
    jpeg_quality: int = 95
    png_compression: int = 1


def content_type(data: bytes) -> ContentType | None:
    """JPEG or PNG by the first bytes, None for anything else. Nothing is decoded."""
    if data.startswith(_JPEG):
        return "image/jpeg"
    return "image/png" if data.startswith(_PNG) else None


def from_bytes(data: bytes, encoding: Encoding) -> EncodedPicture:
    """A file's bytes as they are where they are JPEG or PNG, else (BMP, TIFF, ...) decoded and encoded.

    Raises:
        Unreadable: where OpenCV knows no picture in them.
    """
    kind = content_type(data)
    if kind is not None:
        return EncodedPicture(data, kind)
    try:
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except cv2.error as error:
        raise Unreadable(f"OpenCV: {error}") from error
    if raw is None:
        raise Unreadable("neither JPEG nor PNG nor anything that OpenCV reads")
    return encode(raw, encoding)


def encode(raw: RawPicture, encoding: Encoding) -> EncodedPicture:
    """A raw picture (HxW or HxWx3 BGR, uint8 or uint16) encoded.

    Raises:
        Unreadable: where the array is no picture, or is deeper than the format.
    """
    if encoding.format == "jpeg" and raw.dtype != np.uint8:
        raise Unreadable(f"JPEG is 8 bits deep, the picture is {raw.dtype}; set its encoding to png")
    png = encoding.format == "png"
    options = (
        [cv2.IMWRITE_PNG_COMPRESSION, encoding.png_compression]
        if png
        else [cv2.IMWRITE_JPEG_QUALITY, encoding.jpeg_quality]
    )
    try:
        done, data = cv2.imencode(".png" if png else ".jpg", np.asarray(raw), options)
    except cv2.error as error:
        raise Unreadable(f"OpenCV: {error}") from error
    if not done:
        raise Unreadable(f"an array {raw.shape} {raw.dtype} is no picture")
    return EncodedPicture(data.tobytes(), "image/png" if png else "image/jpeg")
