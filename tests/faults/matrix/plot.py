"""Draws the samples of a soak as SVG: parts a second, what is under way, how long routing took, and what was struck."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from html import escape
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

PICTURE = Path("docs/images/soak.svg")
_WIDTH, _LEFT, _RIGHT, _PANEL, _GAP, _TOP = 960, 64, 16, 150, 34, 92
_COLOURS = {"arrived": "#1b6ca8", "routed": "#2a9d5c", "diverted": "#c8553d", "p50": "#1b6ca8", "p99": "#c8553d"}
Points = list[tuple[float, float]]


def plot(samples: Path, picture: Path) -> None:
    """Write the picture of a file of samples."""
    rows = [json.loads(text) for text in samples.read_text(encoding="utf-8").splitlines()]
    head, taken = rows[0], [row for row in rows if "arrived" in row]
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(drawing(head, taken), encoding="utf-8")


def drawing(head: dict[str, Any], taken: list[dict[str, Any]]) -> str:
    """The drawing; `head` says on what, `taken` are samples in their order."""
    end_s = max((row["s"] for row in taken), default=1.0)
    panels: list[tuple[str, dict[str, Points]]] = [
        ("parts/s", {name: _rate(taken, name) for name in ("arrived", "routed")} | {"diverted": _diverted(taken)}),
        ("parts under way", {"arrived": [(row["s"], row["unsettled"]) for row in taken]}),
        ("ms from arrival to routing", {name: _known(taken, f"{name}_ms") for name in ("p50", "p99")}),
    ]
    height = _TOP + len(panels) * (_PANEL + _GAP) + 16

    def across(at_s: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * at_s / end_s

    bottom = height - _GAP - 16
    body = [*_struck(taken, across, bottom)]
    for number, (title, lines) in enumerate(panels):
        body += _panel(title, lines, _TOP + number * (_PANEL + _GAP), across)
    body += [
        f'<text x="{across(at_s):.0f}" y="{bottom + 16}" text-anchor="middle">{at_s / 60:.0f} min</text>'
        for at_s in (end_s * part / 6 for part in range(7))
    ]
    told = f"{head.get('parts per s')} parts/s, 80 % of capacity; {head.get('machine', '')}; {head.get('commit', '')}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">',
            "<style>text { font: 11px sans-serif; fill: #333 }</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            f'<text x="{_LEFT}" y="18">{escape(told)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _struck(taken: list[dict[str, Any]], across: Callable[[float], float], bottom: float) -> Iterable[str]:
    """A band for as long as something was struck, with its name above."""
    for fault, rows in groupby(taken, key=lambda row: row["fault"]):
        if not fault:
            continue
        times = [row["s"] for row in rows]
        x, width = across(times[0]), max(1.5, across(times[-1]) - across(times[0]))
        yield f'<rect x="{x:.1f}" y="{_TOP}" width="{width:.1f}" height="{bottom - _TOP}" fill="#f1d9a7" opacity=".6"/>'
        place = f"translate({x + 3:.1f},{_TOP - 4}) rotate(-60)"
        yield f'<text transform="{place}" style="font-size: 8px">{escape(fault)}</text>'


def _panel(title: str, lines: dict[str, Points], top: float, across: Callable[[float], float]) -> list[str]:
    highest = max((value for points in lines.values() for _, value in points), default=1.0) or 1.0
    names = (
        " ".join(f'<tspan style="fill: {_COLOURS[name]}">{name}</tspan>' for name in lines) if len(lines) > 1 else ""
    )
    found = [
        f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH - _LEFT - _RIGHT}" height="{_PANEL}" fill="none" stroke="#bbb"/>',
        f'<text x="{_LEFT}" y="{top - 6}">{title} {names}</text>',
        f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{highest:,.0f}</text>',
        f'<text x="{_LEFT - 6}" y="{top + _PANEL}" text-anchor="end">0</text>',
    ]
    for name, points in lines.items():
        drawn = " ".join(f"{across(at):.1f},{top + _PANEL * (1 - value / highest):.1f}" for at, value in points)
        found.append(f'<polyline points="{drawn}" fill="none" stroke="{_COLOURS[name]}" stroke-width="1.2"/>')
    return found


def _rate(taken: list[dict[str, Any]], name: str) -> Points:
    return [(now["s"], (now[name] - before[name]) / (now["s"] - before["s"])) for before, now in pairwise(taken)]


def _diverted(taken: list[dict[str, Any]]) -> Points:
    return [(now["s"], now.get("diverted", 0) / (now["s"] - before["s"])) for before, now in pairwise(taken)]


def _known(taken: list[dict[str, Any]], name: str) -> Points:
    return [(row["s"], row[name]) for row in taken if row[name] is not None]
