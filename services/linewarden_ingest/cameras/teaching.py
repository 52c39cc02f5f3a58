"""Limits of a camera, learned from pictures that are good."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from linewarden_ingest.cameras.conditions import CameraLimits, PictureFigures

LEAST_PICTURES = 50
"""Fewer say too little of how much good pictures differ."""
SIGMAS = 6.0
"""A limit lies so many standard deviations from the median, by the median deviation, which outliers do not move."""
LEAST_GREY, LEAST_FOCUS = 0.10, 0.30
"""And at least this share of the median away from it: good pictures of one hour are more alike than those of a year."""

_LEAST_FIGURE = 0.001
"""A picture without any edge is no sharper than this."""


def learned(good: Iterable[PictureFigures]) -> CameraLimits:
    """Limits that good pictures keep; what could never be beyond its limit is None.

    Raises:
        ValueError: where there are fewer than `LEAST_PICTURES`.
    """
    figures = list(good)
    if len(figures) < LEAST_PICTURES:
        raise ValueError(f"{len(figures)} pictures; limits are learned from {LEAST_PICTURES} good ones, or more")
    grey, spread = _middle([one.grey for one in figures])
    margin = max(SIGMAS * spread, LEAST_GREY * grey)
    # As a logarithm: a focus figure goes over several powers of ten, and cannot lie below zero.
    focus, spread = _middle([math.log(max(one.focus, _LEAST_FIGURE)) for one in figures])
    least = math.exp(focus - max(SIGMAS * spread, -math.log(1.0 - LEAST_FOCUS)))
    return CameraLimits(
        dark=_within(grey - margin),
        bright=_within(grey + margin),
        focus=round(least, 3) if least > _LEAST_FIGURE else None,
    )


def as_toml(limits: CameraLimits) -> str:
    """The limits as the line that stands in the camera's table `[[cameras]]`."""
    given = limits.model_dump(exclude_none=True)
    told = ", ".join(f"{name} = {str(value).lower()}" for name, value in given.items())
    return f"limits = {{ {told} }}"


def _middle(values: list[float]) -> tuple[float, float]:
    """The median, and the standard deviation by the median deviation."""
    middle = median(values)
    return middle, 1.4826 * median(abs(value - middle) for value in values)


def _within(grey: float) -> float | None:
    """A limit of the grey level where a picture can lie beyond it."""
    return round(grey, 1) if 0.0 < grey < 255.0 else None
