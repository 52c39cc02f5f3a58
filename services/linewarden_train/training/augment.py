"""Augmentations that keep a mask exact: windows at native scale, flips, turns, light level and contrast."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_train.data.samples import Picture

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Augment:
    """How far a training picture may be changed; zeros (and a zoom of 1) switch a change off."""

    flip_x: bool = True
    flip_y: bool = True
    quarter_turns: bool = False
    turn: float = 0.0
    """Largest turn of a window either way, degrees."""
    zoom: float = 1.0
    """Largest factor of a window's scale either way: widths are evidence, so keep it near 1."""
    gain: float = 0.12
    offset: float = 8.0
    gamma: float = 0.0
    """Largest exponent of brightness either way, as a natural logarithm."""
    shade: float = 0.0
    """Grey levels by which one side may be lighter than the other."""
    noise: float = 0.0
    """Largest deviation of pixel noise, grey levels."""


def augment(
    picture: Picture, mask: Mask | None, settings: Augment, rng: np.random.Generator
) -> tuple[Plane, Mask | None]:
    """Flip, turn (square pictures alone) and light: float32 on the 0 to 255 scale, the mask moved alike."""
    rows = -1 if settings.flip_y and rng.random() < 0.5 else 1
    columns = -1 if settings.flip_x and rng.random() < 0.5 else 1
    square = picture.shape[0] == picture.shape[1]
    quarters = int(rng.integers(4)) if settings.quarter_turns and square else 0
    plane = light(np.rot90(picture[::rows, ::columns], quarters).astype(np.float32), settings, rng)
    return plane, None if mask is None else np.rot90(mask[::rows, ::columns], quarters)


def light(plane: Plane, settings: Augment, rng: np.random.Generator) -> Plane:
    """Change level, contrast, gamma, shading and noise of a picture on the 0 to 255 scale."""
    gain = 1 + rng.uniform(-settings.gain, settings.gain)
    offset = rng.uniform(-settings.offset, settings.offset)
    lit = np.clip(plane * np.float32(gain) + np.float32(offset), 0, 255)
    if settings.gamma:
        lit = 255 * (lit / 255) ** np.float32(np.exp(rng.uniform(-settings.gamma, settings.gamma)))
    if settings.shade:
        lit = lit + _slope(lit.shape, settings.shade, rng)
    if settings.noise:
        lit = lit + rng.normal(0, rng.uniform(0, settings.noise), lit.shape).astype(np.float32)
    return np.asarray(np.clip(lit, 0, 255), np.float32)


def window(
    picture: Picture,
    mask: Mask,
    size: tuple[int, int],
    settings: Augment,
    rng: np.random.Generator,
    *,
    centred: float = 0.8,
) -> tuple[Picture, Mask]:
    """Cut a window of that (height, width); where a defect is, ``centred`` of the windows aim at it.

    A picture smaller than the window is mirrored at its edges, its mask alike. Without turn and zoom the
    window holds the picture's own pixels.
    """
    matrix = _matrix(_aim(mask, size, rng, centred), size, settings, rng)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(picture, matrix, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    shown = cv2.warpAffine(
        mask.astype(np.uint8) * 255, matrix, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cut, picture.dtype), np.asarray(shown >= 128)


def _aim(mask: Mask, size: tuple[int, int], rng: np.random.Generator, centred: float) -> tuple[int, int]:
    """Choose the window's middle (row, column), so that it lies inside the picture as far as that is large enough."""
    middle = [int(rng.integers(0, extent)) for extent in mask.shape]
    rows, columns = np.nonzero(mask)
    if rows.size and rng.random() < centred:
        place = int(rng.integers(rows.size))
        jitter = [int(rng.integers(-side // 3, side // 3 + 1)) for side in size]
        middle = [int(rows[place]) + jitter[0], int(columns[place]) + jitter[1]]
    row, column = (
        extent // 2 if extent <= side else int(np.clip(value, side // 2, extent - (side - side // 2)))
        for value, side, extent in zip(middle, size, mask.shape, strict=True)
    )
    return row, column


def _matrix(
    middle: tuple[int, int], size: tuple[int, int], settings: Augment, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Map window (x, y, 1) to picture (x, y); without turn and zoom by whole pixels."""
    turn = np.deg2rad(rng.uniform(-settings.turn, settings.turn))
    zoom = float(np.exp(rng.uniform(-1, 1) * np.log(settings.zoom)))
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    pivot = np.array([size[1] // 2, size[0] // 2], np.float64)
    shift = np.array([middle[1], middle[0]], np.float64) - linear @ pivot
    return np.concatenate([linear, shift[:, None]], axis=1)


def _slope(shape: tuple[int, ...], most: float, rng: np.random.Generator) -> Plane:
    angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(0, most)
    rows = np.linspace(-0.5, 0.5, shape[0], dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    columns = np.linspace(-0.5, 0.5, shape[1], dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    field = np.float32(height) * (rows + columns)
    return field if len(shape) == 2 else np.asarray(field[:, :, None], np.float32)
