"""JPEG and PNG pass through as they are; everything else is encoded once, by setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from linewarden_ingest.cameras.interface import EncodedPicture, RawPicture
from linewarden_schemas.capture import ContentType
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.png import MAGIC as PNG_MAGIC


class Unreadable(ValueError):
    """Bytes or an array that no picture can be made of."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures that come raw are encoded. PNG keeps every grey value; JPEG does not, and is 8 bits deep."""

    format: Literal["png", "jpeg"] = "png"
    jpeg_quality: int = 95
    png_compression: int = 1

    @property
    def content_type(self) -> ContentType:
        """What pictures so encoded are called on the wire."""
        return "image/png" if self.format == "png" else "image/jpeg"


def from_bytes(data: bytes, encoding: Encoding) -> EncodedPicture:
    """A file's bytes as they are where they are JPEG or PNG, else (BMP, TIFF, WebP) decoded and encoded.

    Raises:
        Unreadable: where they are no picture, or one that cannot be carried on (several, float, alpha, ...).
    """
    from linewarden_vision.pictures.reading import is_wire_format, read_picture  # noqa: PLC0415 - as below

    if is_wire_format(data):
        return EncodedPicture(data, "image/png" if data.startswith(PNG_MAGIC) else "image/jpeg")
    try:
        picture = cast("RawPicture", read_picture(data))
    except PictureRefused as refused:
        raise Unreadable(refused.detail) from refused
    return encode(picture if picture.ndim == 2 else picture[..., ::-1], encoding)


def encode(raw: RawPicture, encoding: Encoding) -> EncodedPicture:
    """A raw picture (HxW or HxWx3 BGR, uint8 or uint16) encoded.

    Raises:
        Unreadable: where the array is no picture, or is deeper than the format.
    """
    if raw.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)} or raw.shape[2:] not in {(), (3,)} or raw.ndim > 3:
        raise Unreadable(f"an array {raw.shape} of {raw.dtype} is no picture; 8 or 16 bit unsigned, grey or colour, is")
    if encoding.format == "jpeg" and raw.dtype != np.uint8:
        raise Unreadable(f"JPEG is 8 bits deep, the picture is {raw.dtype}; set its encoding to png")
    import cv2  # noqa: PLC0415 - the supervisor, which reads the cameras' options, stays small

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
    return EncodedPicture(data.tobytes(), encoding.content_type)
