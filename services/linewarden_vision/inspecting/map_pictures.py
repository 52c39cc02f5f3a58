"""Maps of a score as small PNG files that lie over the whole native picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.inspection import Maps
from linewarden_schemas.recipe import Region
from linewarden_vision.inspector import ViewScore


def picture_maps(score: ViewScore, native: tuple[int, int], region: Region | None) -> Maps:
    """Mask at `native` (height, width); heatmaps at their own size, or at an eighth of it around a region."""
    mask = score.mask.astype(np.uint8) * np.uint8(255)
    specific, agnostic = score.class_specific, score.class_agnostic
    if region is not None:
        mask = _place(mask, native, region, 1)
        specific, agnostic = (_place(heat, native, region, 8) for heat in (specific, agnostic))
    return Maps(mask_png=_png(mask), class_specific_png=_png(specific), class_agnostic_png=_png(agnostic))


def _place(values: NDArray[np.uint8], native: tuple[int, int], region: Region, coarser: int) -> NDArray[np.uint8]:
    """Lay the map of a region into an empty map of the whole picture, `coarser` times smaller than it."""
    canvas = np.zeros((-(-native[0] // coarser), -(-native[1] // coarser)), np.uint8)
    top, left = region.y // coarser, region.x // coarser
    bottom, right = -(-(region.y + region.height) // coarser), -(-(region.x + region.width) // coarser)
    canvas[top:bottom, left:right] = cv2.resize(
        values, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST if coarser == 1 else cv2.INTER_LINEAR
    )
    return canvas


def _png(values: NDArray[np.uint8]) -> bytes:
    done, encoded = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError(f"a map of shape {values.shape} cannot be written as PNG")
    return encoded.tobytes()
