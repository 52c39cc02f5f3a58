"""The report of a shift as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linewarden_history.reports.rendering import percent, render, when

WIDTH, HEIGHT = 960, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 16, 14, 34
_LABELS = 8


def page(document: Mapping[str, Any]) -> str:
    """The page; the same document gives the same page."""
    return render("shift.html.j2", document, chart=draw(document["p_chart"]))


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in the drawing's units."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One subgroup as drawn."""

    x: float
    y: float
    signal: bool
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws of a p-chart; lines are points of SVG polylines."""

    up: list[Tick]
    across: list[Tick]
    centre: float
    line: str
    upper: str
    lower: str
    dots: list[Dot]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def draw(chart: Mapping[str, Any]) -> Chart | None:
    """Draw subgroups side by side, each limit as a step; None where nothing was made."""
    points = chart["points"]
    if not points:
        return None
    most = max(1e-9, *(max(one["share"], one["upper"]) for one in points))
    step = (WIDTH - _LEFT - _RIGHT) / len(points)
    middle = [_LEFT + step * (place + 0.5) for place in range(len(points))]
    every = -(-len(points) // _LABELS)
    return Chart(
        up=[Tick(round(_y(most * part / 4, most), 1), percent(most * part / 4)) for part in range(5)],
        across=[Tick(round(middle[n], 1), when(points[n]["at_ms"])[5:16]) for n in range(0, len(points), every)],
        centre=round(_y(chart["centre"], most), 1),
        line=" ".join(f"{x:.1f},{_y(one['share'], most):.1f}" for x, one in zip(middle, points, strict=True)),
        upper=_steps([one["upper"] for one in points], step, most),
        lower=_steps([one["lower"] for one in points], step, most),
        dots=[_dot(x, one, most) for x, one in zip(middle, points, strict=True)],
    )


def _dot(x: float, one: Mapping[str, Any], most: float) -> Dot:
    text = f"{when(one['at_ms'])}: {one['defective']} of {one['n']}"
    return Dot(round(x, 1), round(_y(one["share"], most), 1), one["signal"], text)


def _steps(values: Sequence[float], step: float, most: float) -> str:
    corners = [(_LEFT + step * (place + side), value) for place, value in enumerate(values) for side in (0, 1)]
    return " ".join(f"{x:.1f},{_y(value, most):.1f}" for x, value in corners)


def _y(value: float, most: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / most
