"""Low-contrast defects with exact masks: what changes the light, and nothing else, is the mask."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
DefectClass = Literal["crack", "dent", "pore", "scratch", "stain"]
DEFECT_CLASSES: tuple[DefectClass, ...] = get_args(DefectClass)

_SHIFT = 4  # OpenCV's fixed-point coordinates: 1/16 pixel
_FAINT = 0.18  # a soft rim below this share of the peak is taken off, so that the mask ends where it shows


def draw_defect(rng: np.random.Generator, kind: DefectClass, region: NDArray[np.bool_], difficulty: float) -> Plane:
    """Draw one defect inside ``region``; its peak contrast falls from about 60 to 10 grey levels.

    Return the change of reflectance in grey levels, HxW float32; exactly 0 outside the defect.
    """
    rows, columns = np.nonzero(region)
    at = int(rng.integers(rows.size))
    shape, strength = _SHAPES[kind]
    relief = shape(rng, region.shape[0], float(columns[at]), float(rows[at]))
    size = np.abs(relief)
    kept = np.sign(relief) * np.maximum(size - _FAINT, 0) / (1 - _FAINT)
    kept[~region] = 0
    if not kept.any():  # drawn across the outline: what is left is a mark where it was aimed
        kept[rows[at], columns[at]] = -1
    level = strength * (60 - 50 * difficulty) * rng.uniform(0.55, 1.45)
    return (kept * level).astype(np.float32)


def _strokes(size: int, paths: list[NDArray[np.float64]], widths: list[int], soften: float) -> Plane:
    layer = np.zeros((size, size), np.uint8)
    for path, width in zip(paths, widths, strict=True):
        points = np.rint(path * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(layer, [points], False, 255, width, cv2.LINE_AA, _SHIFT)
    soft = cv2.GaussianBlur(layer.astype(np.float32), (0, 0), soften)
    return np.asarray(soft / max(float(soft.max()), 1.0), np.float32)


def _walk(rng: np.random.Generator, x: float, y: float, *, steps: int, step: float, bend: float) -> NDArray[np.float64]:
    """Walk ``steps`` segments, wandering by ``bend`` radians a step, centred on (x, y)."""
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, bend, steps))
    path = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1) * step, axis=0)
    return np.asarray(path - path.mean(axis=0) + (x, y), np.float64)


def _scratch(rng: np.random.Generator, size: int, x: float, y: float) -> Plane:
    steps = int(rng.integers(7, 17))
    path = _walk(rng, x, y, steps=steps, step=size / 40, bend=0.05)
    bright = _strokes(size, [path], [1], 0.6)
    shadow = _strokes(size, [path + 1.3], [1], 0.7)
    return np.asarray(bright - 0.55 * shadow, np.float32)


def _crack(rng: np.random.Generator, size: int, x: float, y: float) -> Plane:
    steps = int(rng.integers(8, 18))
    trunk = _walk(rng, x, y, steps=steps, step=size / 50, bend=0.5)
    paths, widths = [trunk], [int(rng.integers(1, 3))]
    if rng.random() < 0.5:
        fork = trunk[int(rng.integers(2, steps - 2))]
        branch = _walk(rng, 0, 0, steps=4, step=size / 50, bend=0.5)
        paths.append(branch - branch[0] + fork)
        widths.append(1)
    return -_strokes(size, paths, widths, 0.6)


def _pore(rng: np.random.Generator, size: int, x: float, y: float) -> Plane:
    pits = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = np.rint((np.array([x, y]) + rng.normal(0, size / 40, 2)) * (1 << _SHIFT)).astype(int)
        radius = round(rng.uniform(1.1, 2.8) * size / 160 * (1 << _SHIFT))
        cv2.circle(pits, (int(centre[0]), int(centre[1])), radius, 255, -1, cv2.LINE_AA, _SHIFT)
    dark = cv2.GaussianBlur(pits.astype(np.float32) / 255, (0, 0), 0.7)
    rim = np.maximum(np.roll(dark, (1, 1), (0, 1)) - dark, 0)
    return np.asarray(0.7 * rim - dark, np.float32)


def _stain(rng: np.random.Generator, size: int, x: float, y: float) -> Plane:
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    wide, tall = (rng.uniform(0.05, 0.13, 2) * size).tolist()
    coarse = rng.standard_normal((size // 10 + 2,) * 2, np.float32)
    wobble = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    reach = 1 - np.sqrt(((columns - x) / wide) ** 2 + ((rows - y) / tall) ** 2) + 0.28 * wobble
    blot = np.clip(reach * 2.2, 0, 1)
    far = (np.abs(columns - x) > 1.7 * wide) | (np.abs(rows - y) > 1.7 * tall)
    blot[far] = 0
    peak = max(float(blot.max()), 0.5)
    return np.asarray(float(rng.choice([-1.0, -1.0, 1.0])) * blot / peak, np.float32)


def _dent(rng: np.random.Generator, size: int, x: float, y: float) -> Plane:
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    wide, tall = (rng.uniform(0.022, 0.05, 2) * size).tolist()
    turn, light = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    u = ((columns - x) * math.cos(turn) + (rows - y) * math.sin(turn)) / wide
    v = ((rows - y) * math.cos(turn) - (columns - x) * math.sin(turn)) / tall
    bowl = np.exp(-0.5 * (u * u + v * v))
    slope = (u * math.cos(light) + v * math.sin(light)) * bowl  # a lit wall and a shaded wall
    return np.asarray((slope - 0.25 * bowl) / 0.72, np.float32)


_SHAPES: dict[DefectClass, tuple[Callable[[np.random.Generator, int, float, float], Plane], float]] = {
    "crack": (_crack, 1.15),
    "dent": (_dent, 0.75),
    "pore": (_pore, 1.3),
    "scratch": (_scratch, 1.0),
    "stain": (_stain, 0.55),
}
