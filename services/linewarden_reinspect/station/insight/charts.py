"""Where things lie in the charts that the server draws: SVG of 420 x 260, the plot within its margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linewarden_reinspect.station.insight.curves import Bin, RiskCoverage

WIDTH, HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 44
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin: its dot and the ends of its interval, in pixels of the chart."""

    x: float
    y: float
    top: float
    bottom: float


def across(share: float) -> float:
    """The x of a share from 0 to 1."""
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)


def upward(share: float) -> float:
    """The y of a share from 0 to 1."""
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def line(points: Sequence[RiskCoverage]) -> str:
    """Points of a polyline: the share of misses that pass over the share diverted."""
    return " ".join(f"{across(point.diverted)},{upward(point.misses_passed)}" for point in points)


def bars(bins: Sequence[Bin]) -> list[Bar]:
    """Dots over the suspicion, which is a share as well, with their intervals."""
    return [Bar(across(one.suspicion), upward(one.rate), upward(one.upper), upward(one.lower)) for one in bins]
