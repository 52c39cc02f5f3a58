"""The curve of misses against diversion as an inline drawing; colours come from the page's style."""

from collections.abc import Sequence
from dataclasses import dataclass

from linewarden_train.evaluation.results import Curve

WIDTH, HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 14, 42


@dataclass(frozen=True, slots=True)
class Line:
    """One curve as drawn: its class in the style sheet, and the points of an SVG polyline."""

    name: str
    style: str
    points: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in the drawing's units."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws."""

    title: str
    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    budget: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top: int = _TOP
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def draw(title: str, curves: Sequence[Curve], named: Sequence[str], *, most: float, budget: float) -> Chart:
    """Draw steps up to a diverted share of ``most``; the named curves stand out, in that order, over the others."""
    highest = max((curve.trusted_pass_rate_of_defects[0] for curve in curves), default=0.0) or 1.0
    ordered = sorted(curves, key=lambda curve: named.index(curve.name) if curve.name in named else -1)
    chance = Curve(name="chance", diverted=[0.0, 1.0], trusted_pass_rate_of_defects=[highest, 0.0])
    lines = [Line("chance", "chance", _points(_straight(chance, most), most, highest))]
    lines += [Line(curve.name, _style(curve, named), _points(_steps(curve, most), most, highest)) for curve in ordered]
    return Chart(
        title=title,
        lines=lines,
        across=[Tick(_x(most * part / 5, most), f"{most * part / 5:.0%}") for part in range(6)],
        up=[Tick(_y(highest * part / 4, highest), f"{highest * part / 4:.1%}") for part in range(5)],
        budget=_x(budget, most) if budget < most else None,
    )


def _style(curve: Curve, named: Sequence[str]) -> str:
    return f"c{named.index(curve.name)}" if curve.name in named else "other"


def _steps(curve: Curve, most: float) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    level = curve.trusted_pass_rate_of_defects[0]
    for share, rate in zip(curve.diverted, curve.trusted_pass_rate_of_defects, strict=True):
        if share > most:
            break
        points += [(share, level), (share, rate)]
        level = rate
    return [*points, (most, level)]


def _straight(curve: Curve, most: float) -> list[tuple[float, float]]:
    start = curve.trusted_pass_rate_of_defects[0]
    return [(0.0, start), (most, start * (1 - most))]


def _points(points: Sequence[tuple[float, float]], most: float, highest: float) -> str:
    return " ".join(f"{_x(share, most):.1f},{_y(rate, highest):.1f}" for share, rate in points)


def _x(share: float, most: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * share / most


def _y(rate: float, highest: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * rate / highest
