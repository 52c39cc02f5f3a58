"""Augmentations that keep a mask exact: flips, light level and contrast."""

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
