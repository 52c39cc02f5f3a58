"""One self-contained page: no script, nothing fetched, light and dark, fit to print; charts and misses drawn in it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from linewarden_train.evaluation import words
from linewarden_train.evaluation.of_bundle import ShownMiss
from linewarden_train.evaluation.results import Curve, Evaluation

_Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DiversionChart:
    """Misses against diversion as the template draws them; colours come from the page's style."""

    title: str
    lines: list[dict[str, str]]
    """Each curve's name, its class in the style sheet, and the points of an SVG polyline."""
    across: list[tuple[float, str]]
    """Labelled places of the axis, in the drawing's units."""
    up: list[tuple[float, str]]
    budget: float | None
    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int


def page(evaluation: Evaluation, worst: Sequence[ShownMiss]) -> str:
    """Render, with the worst misses; the same evaluation and pictures give the same page."""
    loader = PackageLoader("linewarden_train.evaluation", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    plan, findings = evaluation.plan, evaluation.findings
    named = list(dict.fromkeys([plan.score, plan.rival, "either"]))
    charts = [
        draw(title, findings.curves, named, most=most, budget=plan.budget)
        for title, most in (("Up to a quarter diverted", 0.25), ("All of it", 1.0))
    ]
    cards = [
        {
            "title": shown.name,
            "detail": f"{shown.defect_class}, group {shown.group}, margin {shown.score.margin:.2f}, "
            f"suspicion {shown.score.suspicion:.3f}",
            "pictures": _pictures(shown),
        }
        for shown in worst
    ]
    text: str = environment.get_template("evaluation.html.j2").render(
        evaluation=evaluation, findings=findings, words=words, charts=charts, cards=cards, named=named
    )
    return text


def draw(title: str, curves: Sequence[Curve], named: Sequence[str], *, most: float, budget: float) -> DiversionChart:
    """Draw steps up to a diverted share of ``most``; the named curves stand out, in that order, over the others."""
    highest = max((curve.trusted_pass_rate_of_defects[0] for curve in curves), default=0.0) or 1.0

    left, top, right, bottom = 56, 14, 624, 278

    def x(share: float) -> float:
        return left + (right - left) * share / most

    def y(rate: float) -> float:
        return bottom - (bottom - top) * rate / highest

    def line(name: str, style: str, points: Sequence[tuple[float, float]]) -> dict[str, str]:
        told = " ".join(f"{x(share):.1f},{y(rate):.1f}" for share, rate in points)
        return {"name": name, "style": style, "points": told}

    ordered = sorted(curves, key=lambda curve: named.index(curve.name) if curve.name in named else -1)
    lines = [line("chance", "chance", [(0.0, highest), (most, highest * (1 - most))])]
    for curve in ordered:
        style = f"c{named.index(curve.name)}" if curve.name in named else "other"
        lines.append(line(curve.name, style, _steps(curve, most)))
    return DiversionChart(
        title=title,
        lines=lines,
        across=[(x(most * part / 5), f"{most * part / 5:.0%}") for part in range(6)],
        up=[(y(highest * part / 4), f"{highest * part / 4:.1%}") for part in range(5)],
        budget=x(budget) if budget < most else None,
        width=640,
        height=320,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
    )


def _steps(curve: Curve, most: float) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    level = curve.trusted_pass_rate_of_defects[0]
    for share, rate in zip(curve.diverted, curve.trusted_pass_rate_of_defects, strict=True):
        if share > most:
            break
        points += [(share, level), (share, rate)]
        level = rate
    return [*points, (most, level)]


def _pictures(shown: ShownMiss) -> list[tuple[str, str]]:
    """Caption and data URI of the picture, both outlines, and the maps on the bundle's fixed scale."""
    grey = _levels(shown.picture)
    height, width = grey.shape[:2]
    scale = min(4.0, 280 / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pictures = {
        "picture": cv2.resize(grey, size, interpolation=cv2.INTER_AREA),
        "true defect" if shown.truth is not None else "not annotated": _outlined(
            grey, shown.truth, size, (60, 200, 90)
        ),
        "predicted mask": _outlined(grey, shown.score.mask, size, (60, 150, 255)),
        "class-specific map": _heat(shown.score.class_specific, size),
        "class-agnostic map": _heat(shown.score.class_agnostic, size),
    }
    encoded = {caption: cv2.imencode(".png", np.asarray(one, np.uint8))[1] for caption, one in pictures.items()}
    return [
        (caption, "data:image/png;base64," + base64.b64encode(one.tobytes()).decode())
        for caption, one in encoded.items()
    ]


def _levels(picture: NDArray[np.generic]) -> _Bytes:
    levels = np.asarray(picture)
    if levels.dtype == np.uint16:
        levels = (levels.astype(np.float32) * (255 / max(1, int(levels.max())))).astype(np.uint8)
    if levels.ndim == 3:
        return np.asarray(cv2.cvtColor(np.asarray(levels, np.uint8), cv2.COLOR_RGB2BGR), np.uint8)
    return np.asarray(levels, np.uint8)


def _outlined(
    grey: _Bytes, mask: NDArray[np.bool_] | None, size: tuple[int, int], colour: tuple[int, int, int]
) -> _Bytes:
    colours = grey if grey.ndim == 3 else np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    drawn = np.ascontiguousarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.uint8)
    if mask is not None and mask.any():
        # the mask grows by a pixel first: an outline runs around a hair-line defect, not over it
        thick = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
        large = np.asarray(cv2.resize(thick, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, colour, 1)
    return drawn


def _heat(levels: _Bytes, size: tuple[int, int]) -> _Bytes:
    large = cv2.resize(levels, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.applyColorMap(np.asarray(large, np.uint8), cv2.COLORMAP_VIRIDIS), np.uint8)
