"""Where the part of a picture lies, against the picture that its template was cut from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_domain.words import said
from linewarden_schemas.inspection import Location
from linewarden_schemas.recipe import Locate, Region
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.features import Grey, Matrix, Template, features_of, opened, reduced
from linewarden_vision.inspecting.matching import SAME_PX, FoundPlace, places, relit
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.decoders import Picture

_BEYOND = 1.25
"""So many times the allowed range is searched, so that a part outside of it is told as such."""
_APART, _AS_WELL = 0.2, 0.02
"""Two places are other ones from this share of the template's smaller side on; of two that are nearly the same (a part
that looks alike when it is turned) none is believed where their scores are this near."""
_FLOOR_PX = 0.05
"""Uncertainty that no noise explains, by interpolation; of a reduced pixel, one standard deviation."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the taught picture's points (x, y; pixels, centres at whole numbers) lie now: `matrix` is 2 x 3.

    `location` is how it is told; `centre` the taught point that its shift is of.
    """

    matrix: Matrix
    centre: tuple[float, float]
    location: Location

    def placed(self, points: NDArray[np.floating]) -> Matrix:
        """Points (N, 2) of the taught picture in this one."""
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2], np.float64)

    def error_px(self, region: Region) -> float:
        """By how much any point of a region of this picture may be placed wrongly, at about two standard deviations."""
        here = self.placed(np.array([self.centre]))[0]
        reach = float(np.hypot(*np.abs(_corners(region) - here).max(axis=0)))
        return self.location.error_px + math.radians(self.location.error_deg) * reach

    def region(self, taught: Region) -> Region:
        """The smallest upright rectangle around a taught region where it lies now."""
        corners = self.placed(_corners(taught))
        left, top = (int(one) for one in np.floor(corners.min(axis=0) + 0.5))
        right, bottom = (int(one) for one in np.ceil(corners.max(axis=0) + 0.5))
        return Region(x=left, y=top, width=right - left, height=bottom - top)


def located(picture: Picture, locate: Locate) -> Placement:
    """Where the part lies in a decoded picture (HxW or HxWx3 RGB).

    Raises:
        PictureRefused: PART_NOT_FOUND where no place, or more than one, is enough like the template;
            PART_MISPLACED where it lies outside the range that the recipe allows.
    """
    try:
        template = opened(locate)
    except ValueError as error:  # no publisher of ours lets it through
        raise PictureRefused(Undecidable.PART_NOT_FOUND, str(error)) from error
    window, at = _window(picture, locate, template)
    found = sorted(places(template, window, _BEYOND * locate.max_turn_deg), key=lambda one: -one.score)
    best = found[0] if found else None
    if best is None or not best.score >= locate.least_score:
        score = 0.0 if best is None else max(0.0, best.score)
        raise PictureRefused(Undecidable.PART_NOT_FOUND, said("part_not_found", score=score, least=locate.least_score))
    second = next((one for one in found[1:] if _may_be_it(one, best, template, locate.least_score)), None)
    if second is not None:
        scores = {"score": best.score, "second": second.score, "least": locate.least_score}
        raise PictureRefused(Undecidable.PART_NOT_FOUND, said("part_ambiguous", **scores))
    lit = relit(template, window, best)
    return _within(_placement(lit, best.score, template, locate, at), locate)


def _may_be_it(other: FoundPlace, best: FoundPlace, template: Template, least_score: float) -> bool:
    """Whether a second place may be the part's: another one that matches, or nearly the same that matches as well."""
    apart = template.apart_px(best.warp, other.warp)
    if apart > _APART * min(template.features.shape):
        return other.score >= least_score
    return apart > SAME_PX and other.score >= best.score - _AS_WELL


def _within(found: Placement, locate: Locate) -> Placement:
    place = found.location
    shift = math.hypot(place.shift_x_px, place.shift_y_px)
    if shift <= locate.max_shift_px and abs(place.turn_deg) <= locate.max_turn_deg:
        return found
    allowed = {"most_shift": locate.max_shift_px, "most_turn": locate.max_turn_deg}
    turn = round(place.turn_deg, 1) + 0.0  # no -0.0
    detail = said("part_misplaced", shift=shift, turn=turn, **allowed)
    raise PictureRefused(Undecidable.PART_MISPLACED, detail)


def _window(picture: Picture, locate: Locate, template: Template) -> tuple[Grey, tuple[int, int]]:
    """The features around the taught place, as far as a part may reach and beyond, and the upper left corner (x, y)."""
    height, width = (side + 2 * template.margin for side in template.features.shape)
    turn = math.radians(locate.max_turn_deg * _BEYOND)
    reach = locate.max_shift_px * _BEYOND + locate.reduction * (math.hypot(height, width) / 2 * turn + 8)
    steps = math.ceil(reach / locate.reduction)
    left, top = (max(one - steps * locate.reduction, one % locate.reduction) for one in (locate.x, locate.y))
    right = min(locate.x + (width + steps) * locate.reduction, picture.shape[1])
    bottom = min(locate.y + (height + steps) * locate.reduction, picture.shape[0])
    cut = picture[top : max(top, bottom), left : max(left, right)]
    if cut.shape[0] < locate.reduction or cut.shape[1] < locate.reduction:
        return np.zeros((0, 0), np.float32), (left, top)
    grey = cv2.cvtColor(np.ascontiguousarray(cut), cv2.COLOR_RGB2GRAY) if cut.ndim == 3 else cut
    return features_of(reduced(grey, locate.reduction), locate.by), (left, top)


def _placement(found: FoundPlace, score: float, template: Template, locate: Locate, at: tuple[int, int]) -> Placement:
    """The place in pixels of the picture."""
    k, offset = locate.reduction, (locate.reduction - 1) / 2
    begin = np.array([locate.x, locate.y]) + k * template.margin + offset
    turn = found.warp[:, :2]
    shift = np.asarray(at) + offset + k * found.warp[:, 2] - turn @ begin
    centre = begin + k * template.middle
    moved = turn @ centre + shift - centre
    shift_error, turn_error = template.errors(found.score, found.alike)
    floor = 2 * _FLOOR_PX / max(template.features.shape) if template.turns else 0.0
    location = Location(
        shift_x_px=float(moved[0]),
        shift_y_px=float(moved[1]),
        turn_deg=math.degrees(math.atan2(turn[1, 0], turn[0, 0])),
        score=min(1.0, score),
        error_px=2 * k * math.hypot(shift_error, _FLOOR_PX),
        error_deg=2 * math.degrees(math.hypot(turn_error, floor)),
    )
    return Placement(np.column_stack([turn, shift]), (float(centre[0]), float(centre[1])), location)


def _corners(region: Region) -> Matrix:
    """The outer corners (4, 2) of a region, where pixels' centres are whole numbers."""
    left, top = region.x - 0.5, region.y - 0.5
    right, bottom = left + region.width, top + region.height
    return np.array([[left, top], [right, top], [left, bottom], [right, bottom]])
