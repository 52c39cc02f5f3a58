"""Flawless surfaces: brushed plate, turned ring, cast face, each with uneven light and sensor noise."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_vision.synthetic.defects import Plane


@dataclass(frozen=True, slots=True)
class Surface:
    """A view before exposure: grey = reflectance * illumination + noise; region is where defects may lie."""

    reflectance: Plane
    illumination: Plane
    noise: Plane
    region: NDArray[np.bool_]


def draw_surface(rng: np.random.Generator, kind: int, size: int, difficulty: float) -> Surface:
    """Draw kind 0 (brushed plate), 1 (turned ring) or 2 (cast face), size x size pixels."""
    coverage, texture = (_brushed, _turned, _cast)[kind](rng, size)
    texture += _benign_marks(rng, size, 5.0 + 7.0 * (1.0 - difficulty))
    belt = 34.0 + 3.0 * _smooth_noise(rng, size, 24)  # the conveyor behind the part
    rim = 30 * (1 - cv2.GaussianBlur(coverage, (0, 0), 1.6))  # where the edge of the part catches the light
    reflectance = belt + (texture + rim - belt) * coverage
    region = cv2.erode((coverage > 0.99).astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=0)
    noise = rng.standard_normal((size, size), np.float32) * np.float32(1.6)
    return Surface(reflectance.astype(np.float32), _light(rng, size), noise, region > 0)


@lru_cache(maxsize=8)
def _grid(size: int) -> tuple[Plane, Plane]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return y, x


def _smooth_noise(rng: np.random.Generator, size: int, cell: int) -> Plane:
    coarse = rng.standard_normal((size // cell + 3, size // cell + 3), np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _light(rng: np.random.Generator, size: int) -> Plane:
    """Uneven light: a slope in a random direction and a fall-off towards the corners."""
    y, x = _grid(size)
    u, v = x / size - 0.5, y / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0.05, 0.28)
    level = rng.uniform(0.92, 1.06)
    plane = 1 + slope * (math.cos(angle) * u + math.sin(angle) * v) - rng.uniform(0.1, 0.3) * (u * u + v * v)
    return np.asarray(level * plane, np.float32)


def _brushed(rng: np.random.Generator, size: int) -> tuple[Plane, Plane]:
    """Draw a rounded plate with a drilled hole and fine streaks along x."""
    fine = cv2.blur(rng.standard_normal((size, size), np.float32), (31, 1)) * np.float32(24)
    coarse = cv2.blur(rng.standard_normal((size, size), np.float32), (91, 3)) * np.float32(50)
    texture = np.float32(148) + fine + coarse + 5 * _smooth_noise(rng, size, 48)
    y, x = _grid(size)
    shift = rng.uniform(-3, 3, 2).tolist()
    half, radius = size * 0.455, size * 0.11
    dx = np.maximum(np.abs(x - size / 2 - shift[0]) - half + radius, 0)
    dy = np.maximum(np.abs(y - size / 2 - shift[1]) - half + radius, 0)
    outline = radius - np.hypot(dx, dy)
    corner = rng.integers(0, 2, 2).tolist()
    hole_x = size / 2 + shift[0] + (corner[0] * 2 - 1) * size * 0.3
    hole_y = size / 2 + shift[1] + (corner[1] * 2 - 1) * size * 0.3
    hole = np.hypot(x - hole_x, y - hole_y) - size * 0.055
    return _soft(np.minimum(outline, hole)), texture


def _turned(rng: np.random.Generator, size: int) -> tuple[Plane, Plane]:
    """Draw a ring with a bore, concentric tool marks and the bow-tie highlight of turned metal."""
    y, x = _grid(size)
    shift = rng.uniform(-3, 3, 2).tolist()
    dx, dy = x - size / 2 - shift[0], y - size / 2 - shift[1]
    radius = np.hypot(dx, dy)
    profile = cv2.GaussianBlur(rng.standard_normal((1, size * 2), np.float32), (0, 0), 0.9)
    marks = cv2.remap(profile, radius * np.float32(1.3), np.zeros_like(radius), cv2.INTER_LINEAR)
    turn = rng.uniform(0, np.pi)
    along = dx * math.cos(turn) + dy * math.sin(turn)
    bow = 2 * (along / np.maximum(radius, 1)) ** 2 - 1  # cos of twice the angle
    grain = cv2.blur(rng.standard_normal((size, size), np.float32), (3, 3)) * np.float32(7)
    texture = 142 + 9 * marks + 16 * bow + grain
    outline = np.minimum(size * 0.465 - radius, radius - size * 0.13)
    return _soft(outline), np.asarray(texture, np.float32)


def _cast(rng: np.random.Generator, size: int) -> tuple[Plane, Plane]:
    """Draw a cast face with grain at several scales and a machined ledge along the bottom."""
    grain = cv2.GaussianBlur(rng.standard_normal((size, size), np.float32), (0, 0), 1.1) * np.float32(20)
    texture = 122 + grain + 5 * _smooth_noise(rng, size, 9) + 5 * _smooth_noise(rng, size, 34)
    y, x = _grid(size)
    tilt = rng.uniform(-0.04, 0.04)
    across = y - size / 2 - tilt * (x - size / 2) - rng.uniform(-3, 3)
    ledge = across - size * 0.30
    texture += 26 * _soft(ledge) - 34 * np.exp(-0.5 * np.square(ledge / 1.8))
    return _soft(np.minimum(size * 0.44 - across, across + size * 0.46)), np.asarray(texture, np.float32)


def _soft(distance: NDArray[np.floating]) -> Plane:
    """Coverage of a pixel whose centre lies ``distance`` pixels inside an outline."""
    return np.asarray(np.clip(distance + 0.5, 0, 1), np.float32)


def _benign_marks(rng: np.random.Generator, size: int, level: float) -> Plane:
    """Dust specks and faint handling marks that no inspector would reject."""
    layer = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.poisson(0.8))):
        x, y = (int(v) for v in rng.integers(0, size, 2))
        cv2.circle(layer, (x, y), 1, 200, -1, cv2.LINE_AA)
    if rng.random() < 0.25:
        x, y, dx, dy = (int(v) for v in (*rng.integers(0, size, 2), *rng.integers(-12, 13, 2)))
        cv2.line(layer, (x, y), (x + dx, y + dy), 150, 1, cv2.LINE_AA)
    sign = 1 if rng.random() < 0.5 else -1
    return np.asarray(layer, np.float32) * np.float32(sign * level / 255)
