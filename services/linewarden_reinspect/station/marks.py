"""Masks that people draw: taken in only as pictures of the frame's own size, and written as plain grey PNG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_reinspect.station.errors import BadMark
from linewarden_schemas.decision import MOST_MASK_BYTES
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.reading import read_drawing, read_header

_HALF = 128


def clean_mask(drawn: bytes, picture: bytes) -> bytes:
    """The drawn mask as 8 bit grey PNG with 0 and 255, in the size of the picture.

    A mask with an alpha channel is what is opaque; one without is what is bright.

    Raises:
        BadMark: where it is no PNG, not of the picture's size, too large, or empty.
    """
    if len(drawn) > MOST_MASK_BYTES:
        raise BadMark("problem.mask_large", most=MOST_MASK_BYTES // 1024)
    try:
        size = read_header(picture).shape[:2]
    except PictureRefused as refused:
        raise BadMark("problem.mask_no_picture") from refused
    try:
        pixels = read_drawing(drawn)
    except PictureRefused as refused:
        raise BadMark("problem.mask_unreadable", why=refused.detail) from refused
    if pixels.shape[:2] != size or pixels.dtype != np.uint8:
        raise BadMark("problem.mask_size")
    mask = np.where(_levels(np.asarray(pixels, np.uint8)) >= _HALF, 255, 0).astype(np.uint8)
    if not mask.any():
        raise BadMark("problem.mask_empty")
    return _png(mask)


def _levels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.ndim == 2:
        return pixels
    return pixels[..., 3] if pixels.shape[2] == 4 else pixels.max(axis=2)


def _png(mask: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if len(data) > MOST_MASK_BYTES:
        raise BadMark("problem.mask_large", most=MOST_MASK_BYTES // 1024)
    return bytes(data.tobytes())
