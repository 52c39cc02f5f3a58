"""The template by which a part is located: what of it is compared, and how sharply it tells a place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_domain.judgeable import is_template
from linewarden_schemas.recipe import Locate
from linewarden_schemas.vocabulary import LocateBy

Grey = NDArray[np.float32]
Matrix = NDArray[np.float64]

_SMOOTHED_PX, _MARGIN = 1.0, 5
_CORRELATED = 4 * math.pi * _SMOOTHED_PX**2
"""Edges are smoothed: a margin depends on what lies beyond it, and the noise of so many pixels counts as one's."""
_BLIND = 1e6
"""Uncertainty where the template does not tell a shift or a turn."""


@dataclass(frozen=True, slots=True)
class Template:
    """The decoded template as features, and what it can tell: `information` is of shift x, y and turn a unit of noise.

    `margin` pixels on each side are left out, whose features depend on what lies beyond them. Where the part cannot
    turn (not `turns`) no turn is looked for.
    """

    features: Grey
    information: Matrix
    margin: int
    turns: bool
    alike: float

    @property
    def middle(self) -> Matrix:
        """Its middle (x, y) in its own pixels."""
        height, width = self.features.shape
        return np.array([(width - 1) / 2, (height - 1) / 2])

    def errors(self, score: float, alike: float = 1.0) -> tuple[float, float]:
        """Standard deviations of shift (its worse direction, pixels) and turn (radians) at a score.

        The Cramer-Rao bound of registration (Robinson and Milanfar 2004) for the noise that the score shows; enormous
        where the template does not tell a shift or a turn.
        """
        noise = max(0.0, 1.0 / max(score, 1e-3) ** 2 - 1.0) * max(alike, self.alike)
        if np.linalg.cond(self.information) > 1e12:
            return _BLIND, _BLIND
        spread = np.linalg.inv(self.information) * noise
        return math.sqrt(float(np.linalg.eigvalsh(spread[:2, :2])[-1])), math.sqrt(
            float(spread[2, 2])
        ) if self.turns else 0.0

    def apart_px(self, one: Matrix, other: Matrix) -> float:
        """How far the corners lie apart at most between two places, in its pixels."""
        height, width = self.features.shape
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
        return float(np.linalg.norm(corners @ (one - other).T, axis=1).max())


def opened(locate: Locate) -> Template:
    """The template of a recipe, decoded once.

    Raises:
        ValueError: where it cannot be read.
    """
    return _opened(locate.template_png, locate.by, locate.max_turn_deg > 0.0)


@lru_cache(maxsize=32)
def _opened(template_png: bytes, by: LocateBy, turns: bool) -> Template:
    if not is_template(template_png):  # before it is decoded: it may be from whoever can write the topic
        raise ValueError("the template is no picture that can be read")
    grey = cv2.imdecode(np.frombuffer(template_png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise ValueError("the template is no picture that can be read")
    features, margin = features_of(np.asarray(grey, np.float32), by), _MARGIN if by is LocateBy.EDGES else 0
    inner = np.ascontiguousarray(features[margin : features.shape[0] - margin, margin : features.shape[1] - margin])
    if min(inner.shape) < 1:
        raise ValueError("the template is too small")
    alike = _CORRELATED if by is LocateBy.EDGES else 1.0
    return Template(inner, _information(inner)[: 2 + turns, : 2 + turns], margin, turns, alike)


def _information(features: Grey) -> Matrix:
    """How sharply the correlation falls by shift x, y (pixels) and turn (radians), against the template's contrast.

    Of the smoothed template, since neither its own noise nor detail of single pixels tells where anything lies.
    """
    height, width = features.shape
    down, along = np.gradient(cv2.GaussianBlur(features, (0, 0), 1.0).astype(np.float64))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    turn = (x - (width - 1) / 2) * down - (y - (height - 1) / 2) * along
    slopes = np.stack([one.ravel() for one in (along, down, turn)])
    return np.asarray(slopes @ slopes.T / max(float(features.var()), 1e-9), np.float64)


def features_of(grey: Grey, by: LocateBy) -> Grey:
    """What is compared: grey levels, or how steep they are (which a change of light moves less)."""
    if by is LocateBy.GREY:
        return grey
    smooth = cv2.GaussianBlur(grey, (0, 0), _SMOOTHED_PX)
    along, down = cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(along, down), np.float32)


def reduced(grey: NDArray[np.generic], times: int) -> Grey:
    """Each `times` x `times` pixels as their mean; what is left over at the right and below is cut off."""
    height, width = grey.shape[0] // times * times, grey.shape[1] // times * times
    cut = np.asarray(grey[:height, :width], np.float32)
    if times == 1:
        return cut
    return np.asarray(cv2.resize(cut, (width // times, height // times), interpolation=cv2.INTER_AREA), np.float32)
