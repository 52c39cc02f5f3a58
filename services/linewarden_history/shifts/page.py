"""The report of a shift as one page, and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from linewarden_history.reports.rendering import csv_text, percent, render, when

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 280, 60, 16, 14, 34
"""The drawing of the p-chart, and its margins, in units of its SVG."""


def page(document: Mapping[str, Any]) -> str:
    """The page; the same document gives the same page."""
    return render("shift.html.j2", document, chart=draw(document["p_chart"]))


def draw(chart: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the template draws: subgroups side by side, each limit as a step; None where nothing was made.

    Ticks and dots have places in the drawing's units; lines are points of SVG polylines.
    """
    points = chart["points"]
    if not points:
        return None
    most = max(1e-9, *(max(one["share"], one["upper"]) for one in points))
    step = (_WIDTH - _LEFT - _RIGHT) / len(points)
    middle = [_LEFT + step * (place + 0.5) for place in range(len(points))]
    every = -(-len(points) // 8)  # so many labels fit
    return {
        "up": [{"at": round(_y(most * part / 4, most), 1), "text": percent(most * part / 4)} for part in range(5)],
        "across": [
            {"at": round(middle[n], 1), "text": when(points[n]["at_ms"])[5:16]} for n in range(0, len(points), every)
        ],
        "centre": round(_y(chart["centre"], most), 1),
        "line": " ".join(f"{x:.1f},{_y(one['share'], most):.1f}" for x, one in zip(middle, points, strict=True)),
        "upper": _steps([one["upper"] for one in points], step, most),
        "lower": _steps([one["lower"] for one in points], step, most),
        "dots": [
            {
                "x": round(x, 1),
                "y": round(_y(one["share"], most), 1),
                "signal": one["signal"],
                "text": f"{when(one['at_ms'])}: {one['defective']} of {one['n']}",
            }
            for x, one in zip(middle, points, strict=True)
        ],
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "right": _WIDTH - _RIGHT,
        "bottom": _HEIGHT - _BOTTOM,
    }


def _steps(values: Sequence[float], step: float, most: float) -> str:
    corners = [(_LEFT + step * (place + side), value) for place, value in enumerate(values) for side in (0, 1)]
    return " ".join(f"{x:.1f},{_y(value, most):.1f}" for x, value in corners)


def _y(value: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / most


def as_csv(document: Mapping[str, Any]) -> str:
    """All figures; `low` and `high` are the interval of a rate, or the limits of a subgroup of the p-chart.

    Of escapes the three are parts per million, as their name says.
    """
    return csv_text(("section", "item", "count", "of", "share", "low", "high"), _rows(document))


def _rows(told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    empty = ("",) * 5
    for name in ("namespace", "line_id", "shift", "from_ms", "to_ms"):
        yield ("about", f"{name}={'' if told[name] is None else told[name]}", *empty)
    for name in ("visits", "settled", "returned", "defective", "machine_rejected", "concessions"):
        yield ("count", name, told[name], *empty[1:])
    for section in ("routings", "diverted_by_cause", "outcomes", "left_out", "time_ms"):
        yield from ((section, name, count, *empty[1:]) for name, count in told[section].items())
    yield from _shares(told)
    yield from (("not told", line, *empty) for line in told["missing"])


def _shares(told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for one in told["rates"]:
        share = "" if one["value"] is None else one["value"]
        yield ("rate", one["name"], one["count"], one["of"], share, one["low"], one["high"])
    if "escapes" in told:
        escaped = told["escapes"]["rate"]
        found = "" if escaped["value"] is None else escaped["value"]
        yield ("escapes", escaped["name"], escaped["count"], escaped["of"], found, escaped["low"], escaped["high"])
    for by, lines in told["pareto"].items():
        for line in lines:
            yield (f"pareto by {by}", line["name"], line["count"], told["defective"], line["share"], "", "")
    for point in told["p_chart"]["points"]:
        limits = (point["lower"], point["upper"])
        yield ("p-chart", point["at_ms"], point["defective"], point["n"], point["share"], *limits)
