"""Defects drawn with a known size: how far measured length and area lie from it, and from their stated uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Recipe, ViewSpec
from linewarden_schemas.vocabulary import VerdictRule
from linewarden_vision.inspecting.measuring import measured

Mask = NDArray[np.bool_]
Inside = Callable[[NDArray[np.float64], NDArray[np.float64]], Mask]
"""Which points of two grids, x and y in pixels around the shape's middle, lie inside it."""
SCALES = (0.02, 0.05, 0.1, 0.2)
"""mm per pixel."""
SCALE_ERROR = 0.005
"""What the recipe states of its scale; each picture is drawn with a scale that is wrong by a share within it."""


@dataclass(frozen=True, slots=True)
class DrawnDefect:
    """A mask, and the true length (mm) and area (mm²) of what was drawn."""

    mask: Mask
    length_mm: float
    area_mm2: float


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """One kind at one scale: signed errors and stated uncertainties, of length (mm) and of area (mm²)."""

    kind: str
    mm: float
    length_errors: NDArray[np.float64]
    length_stated: NDArray[np.float64]
    area_errors: NDArray[np.float64]
    area_stated: NDArray[np.float64]


def drawn_rows(count: int, seed: int) -> list[DrawnRow]:
    """`count` of each kind at each scale, anywhere and turned at random."""
    rng = np.random.default_rng(seed)
    return [_row(kind, mm, count, rng) for kind in DRAW for mm in SCALES]


def _row(kind: str, mm: float, count: int, rng: np.random.Generator) -> DrawnRow:
    table = []
    for _ in range(count):
        wrong = 1 + rng.uniform(-SCALE_ERROR, SCALE_ERROR)
        drawn = DRAW[kind](rng, mm * wrong)
        [found] = _measured(drawn.mask, mm, SCALE_ERROR)
        table.append(
            (
                found.length_mm - drawn.length_mm,
                found.length_error_mm,
                found.area_mm2 - drawn.area_mm2,
                found.area_error_mm2,
            )
        )
    columns = np.asarray(table).T
    return DrawnRow(kind, mm, *columns)


def _measured(mask: Mask, mm: float, scale_error: float = 0.0) -> tuple[MeasuredDefect, ...]:
    view = ViewSpec(view_id="v", camera_id="c", mm_per_pixel=mm, scale_error=scale_error)
    recipe = Recipe(
        recipe_id="drawn",
        version=1,
        product_id="drawn",
        bundle_digest="0" * 64,
        views=(view,),
        verdict_rule=VerdictRule.EITHER,
        created_ms=1,
        created_by="benchmark",
    )
    found = measured(mask, recipe, view, None, 0)
    if found is None:
        raise ValueError("nothing was measured")
    return found


def _scratch(rng: np.random.Generator, mm: float) -> DrawnDefect:
    """A straight stroke with round ends; its length is that from end to end."""
    wide = rng.uniform(1.5, 6.0)
    straight, turn = rng.uniform(10.0, 200.0), rng.uniform(0, math.pi)
    reach = np.array([math.cos(turn), math.sin(turn)]) * straight / 2

    def inside(x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
        along = np.clip((x * reach[0] + y * reach[1]) / float(reach @ reach), -1, 1)
        return np.asarray(np.hypot(x - along * reach[0], y - along * reach[1]) <= wide / 2)

    area = straight * wide + math.pi * wide**2 / 4
    return _drawn(rng, inside, (straight + wide) * mm, area * mm**2)


def _arc(rng: np.random.Generator, mm: float) -> DrawnDefect:
    """A part of a ring with round ends; its length is that along its middle, and the half widths at its ends."""
    wide, radius = rng.uniform(1.5, 5.0), rng.uniform(20.0, 80.0)
    begin, span = rng.uniform(0, 2 * math.pi), rng.uniform(0.8 * math.pi, 1.5 * math.pi)
    ends = [(radius * math.cos(at), radius * math.sin(at)) for at in (begin, begin + span)]

    def inside(x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
        on_ring = np.abs(np.hypot(x, y) - radius) <= wide / 2
        in_span = (np.arctan2(y, x) - begin) % (2 * math.pi) <= span
        caps = [np.hypot(x - left, y - top) <= wide / 2 for left, top in ends]
        return np.asarray((on_ring & in_span) | caps[0] | caps[1])

    area = span * radius * wide + math.pi * wide**2 / 4
    return _drawn(rng, inside, (span * radius + wide) * mm, area * mm**2)


def _spot(rng: np.random.Generator, mm: float) -> DrawnDefect:
    """An ellipse; its length is its larger diameter."""
    long = rng.uniform(2.0, 40.0)
    short, turn = long * rng.uniform(0.5, 1.0), rng.uniform(0, math.pi)
    cosine, sine = math.cos(turn), math.sin(turn)

    def inside(x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
        return np.asarray(((x * cosine + y * sine) / long) ** 2 + ((y * cosine - x * sine) / short) ** 2 <= 1)

    return _drawn(rng, inside, 2 * long * mm, math.pi * long * short * mm**2)


def _drawn(rng: np.random.Generator, inside: Inside, length_mm: float, area_mm2: float) -> DrawnDefect:
    """Pixels whose middle lies inside a shape that is laid anywhere between them."""
    middle = 130 + rng.uniform(-0.5, 0.5, 2)
    rows, columns = np.mgrid[0:260, 0:260].astype(float)
    mask = inside(columns - middle[0], rows - middle[1])
    return DrawnDefect(mask, length_mm, area_mm2)


DRAW: Mapping[str, Callable[[np.random.Generator, float], DrawnDefect]] = {
    "scratch": _scratch,
    "arc": _arc,
    "spot": _spot,
}


def hand_checked() -> Iterator[tuple[str, str, str, MeasuredDefect]]:
    """A few masks that can be worked out on paper at 0.1 mm/pixel: what, length and area by hand, what was measured."""
    square, line, falling, hook, pixel = (np.zeros((60, 60), bool) for _ in range(5))
    square[5:15, 5:15] = True
    line[30, 4:54] = True
    falling[np.arange(40), np.arange(40)] = True
    hook[10, 10:41] = hook[10:41, 10] = True
    pixel[4, 4] = True
    yield (
        "square of 10 x 10",
        "corner to corner √(9² + 9²) + 1 = 13.73 pixels: 1.37 mm",
        "100 pixels: 1.00 mm²",
        _one(square),
    )
    yield "line of 50 x 1", "50 pixels: 5.00 mm", "50 pixels: 0.50 mm²", _one(line)
    yield "diagonal of 40", "√(39² + 39²) + 1 = 56.15 pixels: 5.62 mm", "40 pixels: 0.40 mm²", _one(falling)
    yield (
        "two legs of 31 at a right angle, 1 wide",
        "61 pixels along the legs: 6.10 mm",
        "61 pixels: 0.61 mm²",
        _one(hook),
    )
    yield "one pixel", "1 pixel: 0.10 mm", "1 pixel: 0.01 mm²", _one(pixel)


def _one(mask: Mask) -> MeasuredDefect:
    [found] = _measured(mask, 0.1)
    return found
