"""Maps of an inspection: whether two are the same, and how far apart they are."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.inspection import Maps
from linewarden_vision.inspecting.refusal import Refused
from linewarden_vision.pictures.reading import read_picture

TOLERANCE = 0.02
"""Of the heatmaps' scale (five of 255 levels), and of the mask's pixels."""


def digest_of(maps: Maps | None) -> str | None:
    """One digest of the three maps, so that the same can be told from near ones without the maps."""
    if maps is None:
        return None
    together = hashlib.sha256()
    for part in (maps.mask_png, maps.class_specific_png, maps.class_agnostic_png):
        together.update(hashlib.sha256(part).digest())
    return together.hexdigest()


def distance(one: Maps, other: Maps) -> float:
    """The largest of: share of the mask's pixels that differ, and both heatmaps' largest deviation of their scale.

    Infinite where a map cannot be read or has another size.
    """
    heat = [
        _apart(one.class_specific_png, other.class_specific_png),
        _apart(one.class_agnostic_png, other.class_agnostic_png),
    ]
    return max(_differing(one.mask_png, other.mask_png), *heat)


def _differing(one: bytes, other: bytes) -> float:
    first, second = _read(one), _read(other)
    return float("inf") if not _fit(first, second) else float(np.mean((first > 0) != (second > 0)))


def _apart(one: bytes, other: bytes) -> float:
    first, second = _read(one), _read(other)
    return float("inf") if not _fit(first, second) else float(cv2.absdiff(first, second).max()) / 255


def _fit(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    return one.size > 0 and one.shape == other.shape


def _read(png: bytes) -> NDArray[np.uint8]:
    try:
        found = read_picture(png)
    except Refused:
        return np.zeros((0, 0), np.uint8)
    return np.asarray(found, np.uint8) if found.ndim == 2 and found.itemsize == 1 else np.zeros((0, 0), np.uint8)
