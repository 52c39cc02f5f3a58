"""Augmentations that keep a mask exact: crops at native scale, flips, light level and contrast."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Augment:
    """How far a training picture may be changed; zeros switch a change off."""

    flip_x: bool = True
    flip_y: bool = True
    gain: float = 0.12
    offset: float = 8.0


def augment(
    picture: NDArray[np.uint8], mask: NDArray[np.bool_] | None, settings: Augment, rng: np.random.Generator
) -> tuple[Plane, NDArray[np.bool_] | None]:
    """Return a changed copy, float32 on the 0 to 255 scale, and its mask changed alike."""
    rows = -1 if settings.flip_y and rng.random() < 0.5 else 1
    columns = -1 if settings.flip_x and rng.random() < 0.5 else 1
    gain = 1 + rng.uniform(-settings.gain, settings.gain)
    offset = rng.uniform(-settings.offset, settings.offset)
    light = np.clip(picture[::rows, ::columns] * np.float32(gain) + np.float32(offset), 0, 255)
    return light.astype(np.float32), None if mask is None else mask[::rows, ::columns]


def crop(
    picture: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    size: int,
    rng: np.random.Generator,
    *,
    centred: float = 0.8,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Cut a size x size window at native scale; where a defect is, ``centred`` of the windows aim at it.

    An unannotated picture is returned whole, since nobody knows which windows show its defect.
    Raises ValueError for a picture smaller than the window.
    """
    height, width = picture.shape[:2]
    if size > min(height, width):
        raise ValueError(f"a {size}-pixel crop does not fit a picture of {height}x{width}")
    if mask is None:
        return picture, mask
    top, left = (int(rng.integers(0, extent - size + 1)) for extent in (height, width))
    rows, columns = np.nonzero(mask)
    if rows.size and rng.random() < centred:
        aim = int(rng.integers(rows.size))
        jitter = rng.integers(-size // 3, size // 3 + 1, 2)
        top = int(np.clip(rows[aim] - size // 2 + jitter[0], 0, height - size))
        left = int(np.clip(columns[aim] - size // 2 + jitter[1], 0, width - size))
    window = slice(top, top + size), slice(left, left + size)
    return picture[window], mask[window]
