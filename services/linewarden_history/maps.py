"""Maps of an inspection: whether two are the same, and how far apart they are."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.inspection import Maps
from linewarden_vision.inspecting.refusal import PictureRefused
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
    pairs = [(_read(getattr(one, name)), _read(getattr(other, name))) for name in Maps.model_fields]
    if any(first.size == 0 or first.shape != second.shape for first, second in pairs):
        return float("inf")
    masks, *heat = pairs
    apart = [float(cv2.absdiff(first, second).max()) / 255 for first, second in heat]
    return max(float(np.mean((masks[0] > 0) != (masks[1] > 0))), *apart)


def _read(png: bytes) -> NDArray[np.uint8]:
    try:
        found = read_picture(png)
    except PictureRefused:
        return np.zeros((0, 0), np.uint8)
    return np.asarray(found, np.uint8) if found.ndim == 2 and found.itemsize == 1 else np.zeros((0, 0), np.uint8)
