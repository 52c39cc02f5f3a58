"""Pictures of drawn parts that lie where they are told to, on a plain background."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_vision.synthetic.part import make_view

FINER = 4
"""Times that a part is drawn finer than the picture shows it, so that a place between pixels is drawn truly."""
SIDE, PART = 320, 160
"""Pixels of a picture and of the part in its middle."""
BACKGROUND = 60


def placed_part(
    kind: int,
    shift: tuple[float, float] = (0.0, 0.0),
    turn_deg: float = 0.0,
    *,
    noise: float = 1.0,
    gain: float = 1.0,
    seed: int = 0,
    fade: float = 0.0,
) -> NDArray[np.uint8]:
    """A picture (SIDE, SIDE) of a part of a kind (0 plate, 1 ring, 2 cast), moved (x, y; pixels) and turned clockwise.

    `noise` in grey levels, new for each `seed`; `gain` of the light, which falls by the share `fade` to the right.
    """
    part = make_view(0, kind, size=PART, defect_rate=0.0).picture
    fine = cv2.resize(part, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    middle, own = (SIDE * FINER - 1) / 2, (PART * FINER - 1) / 2
    angle = math.radians(turn_deg)
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    begin = np.array([middle + shift[0] * FINER, middle + shift[1] * FINER]) - turned @ np.array([own, own])
    size = (SIDE * FINER, SIDE * FINER)
    drawn = cv2.warpAffine(fine, np.column_stack([turned, begin]), size, borderValue=BACKGROUND)
    grey = cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    light = gain * (1.0 - fade * np.linspace(0.0, 1.0, SIDE))
    grainy = grey * light + np.random.default_rng(seed).normal(0.0, noise, grey.shape)
    return np.clip(np.rint(grainy), 0, 255).astype(np.uint8)
