"""The template that tells where a part lies: cut from a good picture, tried on it, and drawn for whoever sets it up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_domain.judgeable import LEAST_TEMPLATE
from linewarden_schemas.recipe import Locate, Recipe, Region, ViewSpec
from linewarden_schemas.vocabulary import LocateBy
from linewarden_vision.inspecting.features import Grey, opened, reduced
from linewarden_vision.inspecting.locating import Placement, located
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.decoders import Picture

_LONGEST_SIDE = 160
"""Pixels of the template's longer side; more cost time and hardly sharpen the place."""
_MOST_ERROR_PX = 1.0
"""By how much a place may be uncertain, in pixels of the template, where it matches by `_POOR_SCORE`."""
_POOR_SCORE = 0.8
_AGAIN = 1.5
_TEMPLATE, _PART, _ZONE = (0, 200, 255), (0, 220, 0), (255, 160, 0)


@dataclass(frozen=True, slots=True)
class TemplateTrial:
    """A template on its own picture, moved and turned by known amounts within the range.

    As much noise as the picture has is added anew. `error_px` and `error_deg` are the largest; `lost` tells of trials
    in which it was not found, or lay further off than it said it might (by half as much again).
    """

    count: int
    least_score: float
    error_px: float
    error_deg: float
    lost: tuple[str, ...] = ()


def template_of(
    picture: Picture, box: Region, by: LocateBy, *, shift_px: float, turn_deg: float, score: float
) -> Locate:
    """Cut the template from a good picture; it keeps as many pixels as tell where it lies.

    Raises:
        ValueError: where the box does not lie in the picture, or shows too little to tell where the part lies.
    """
    height, width = picture.shape[:2]
    if (
        min(box.x, box.y) < 0
        or min(box.width, box.height) < 1
        or box.x + box.width > width
        or box.y + box.height > height
    ):
        raise ValueError(f"the box does not lie inside the picture of {width} x {height} pixels")
    times = max(1, math.ceil(max(box.width, box.height) / _LONGEST_SIDE))
    small = reduced(_grey(picture)[box.y : box.y + box.height, box.x : box.x + box.width], times)
    if min(small.shape) < LEAST_TEMPLATE:
        raise ValueError(
            f"the box is too small or too long: reduced, its sides must have {LEAST_TEMPLATE} pixels or more"
        )
    scale = 257.0 if picture.dtype == np.uint16 else 1.0
    done, png = cv2.imencode(".png", np.rint(small / scale).astype(np.uint8))
    if not done:
        raise ValueError("the template cannot be written as PNG")
    locate = Locate(
        template_png=png.tobytes(),
        x=box.x,
        y=box.y,
        reduction=times,
        by=by,
        max_shift_px=shift_px,
        max_turn_deg=turn_deg,
        least_score=score,
    )
    if (why := unusable(locate)) is not None:
        raise ValueError(why)
    return locate


def unusable(locate: Locate) -> str | None:
    """Why nobody could tell by a template where a part lies; None where one can."""
    try:
        template = opened(locate)
    except ValueError as error:
        return str(error)
    shift, turn = template.errors(_POOR_SCORE)
    if not 2 * math.hypot(shift, turn * max(template.features.shape) / 2) <= _MOST_ERROR_PX:
        return (
            "the template shows too little to tell where the part lies; choose a box with edges in several directions"
        )
    return None


def tried(locate: Locate, picture: Picture, *, count: int = 24, seed: int = 1) -> TemplateTrial:
    """Try a template on its own picture, moved and turned within nine tenths of the range; same seed, same trial.

    Raises:
        ValueError: where it is not found in the picture as it is.
    """
    chance = np.random.default_rng(seed)
    scores: list[float] = []
    lost: list[str] = []
    errors, turns = [0.0], [0.0]
    try:
        centre, noise = located(picture, locate).centre, _noise(_grey(picture))
    except PictureRefused as refused:
        raise ValueError(f"the template does not tell one place of its own picture: {refused.detail}") from refused
    for number in range(count):
        far, way = 0.9 * locate.max_shift_px * math.sqrt(chance.random()), chance.uniform(0, 2 * math.pi)
        shift = np.array([far * math.cos(way), far * math.sin(way)])
        turn = 0.9 * chance.uniform(-locate.max_turn_deg, locate.max_turn_deg)
        if number == 0:
            shift, turn = np.zeros(2), 0.0
        grainy = np.asarray(moved(picture, centre, shift, turn), float) + chance.normal(0.0, noise, picture.shape)
        shown = np.clip(np.rint(grainy), 0, _white(picture)).astype(picture.dtype)
        about = f"moved by {shift[0]:.1f}, {shift[1]:.1f} pixels and turned by {turn:.1f}°"
        try:
            found = located(shown, locate).location
        except PictureRefused as refused:
            lost.append(f"{about}: {refused.detail}")
            continue
        scores.append(found.score)
        errors.append(math.hypot(found.shift_x_px - shift[0], found.shift_y_px - shift[1]))
        turns.append(abs(found.turn_deg - turn))
        if errors[-1] > _AGAIN * found.error_px or turns[-1] > _AGAIN * found.error_deg:
            told = f"off by {errors[-1]:.2f} pixels and {turns[-1]:.2f}°"
            lost.append(f"{about}: {told}, and said {found.error_px:.2f} and {found.error_deg:.2f}")
    return TemplateTrial(count, min(scores, default=0.0), max(errors), max(turns), tuple(lost))


def _white(picture: Picture) -> int:
    return 65535 if picture.dtype == np.uint16 else 255


def _noise(grey: Grey) -> float:
    """The standard deviation of a picture's noise, by what no edge explains (Immerkaer 1996)."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    left = np.abs(cv2.filter2D(grey, cv2.CV_32F, mask)[1:-1, 1:-1])
    return float(math.sqrt(math.pi / 2) * left.mean() / 6) if left.size else 0.0


def moved(picture: Picture, centre: tuple[float, float], shift: NDArray[np.floating], turn_deg: float) -> Picture:
    """A picture whose content is turned clockwise about a point (x, y) and moved, by cubic interpolation."""
    matrix = cv2.getRotationMatrix2D(centre, -turn_deg, 1.0)
    matrix[:, 2] += np.asarray(shift, float)
    size = (picture.shape[1], picture.shape[0])
    pixels = np.asarray(picture, np.float32)
    turned = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(np.rint(turned), 0, _white(picture)).astype(picture.dtype)


def drawn(picture: Picture, recipe: Recipe, view: ViewSpec, placement: Placement) -> NDArray[np.uint8]:
    """The picture (H, W, 3), BGR, with the template's place, the region that is judged, and the zones of a view."""
    grey = np.asarray(_grey(picture) / (257 if picture.dtype == np.uint16 else 1), np.uint8)
    shown = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    thick = max(1, min(shown.shape[:2]) // 300)
    for corners, colour in _outlines(recipe, view, placement):
        cv2.polylines(shown, [np.round(corners * 16).astype(np.int32)], True, colour, thick, cv2.LINE_AA, 4)
    return shown


def _outlines(
    recipe: Recipe, view: ViewSpec, placement: Placement
) -> Iterator[tuple[NDArray[np.floating], Sequence[int]]]:
    if view.locate is not None:
        template = opened(view.locate)
        height, width = (side + 2 * template.margin for side in template.features.shape)
        times = view.locate.reduction
        yield placement.placed(_box(view.locate.x, view.locate.y, width * times, height * times)), _TEMPLATE
    if view.region is not None:
        here = placement.region(view.region)
        yield _box(here.x, here.y, here.width, here.height), _PART
    origin = (0, 0) if view.region is None else (view.region.x, view.region.y)
    for zone in recipe.zones:
        if zone.view_id in (None, view.view_id) and view.mm_per_pixel:
            yield placement.placed(np.asarray(zone.polygon, float) / view.mm_per_pixel - 0.5 + origin), _ZONE


def _box(x: float, y: float, width: float, height: float) -> NDArray[np.float64]:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]]) - 0.5


def _grey(picture: Picture) -> Grey:
    pixels = np.asarray(picture, np.float32)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32) if pixels.ndim == 3 else pixels
