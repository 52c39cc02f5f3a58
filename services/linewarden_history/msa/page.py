"""The report of a study as a page and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from linewarden_domain.rates import INTERVAL
from linewarden_history.reports.rendering import csv_text, render

from .document import LIMITS

RATES = (*LIMITS, "unsure", "alike_by_part", "right_by_part")
_WIDTH, _HEIGHT, _LEFT, _EDGE = 960, 240, 48, 14


def page(document: Mapping[str, Any]) -> str:
    """The page; the same document gives the same page."""
    scatters = [scatter(document, "p_defect", "score: p(defect)"), scatter(document, "trust", "trust")]
    return render(
        "msa.html.j2",
        document,
        scatters=scatters if document["spread"] else [],
        rates_of=RATES,
        exact=INTERVAL,
    )


def scatter(document: Mapping[str, Any], what: str, title: str) -> dict[str, Any]:
    """Every presentation as a dot, in the drawing's units: parts side by side, good ones first, values upwards to 1."""
    rows = document["spread"]
    step = (_WIDTH - _LEFT - _EDGE) / max(1, len(rows))
    across = [_LEFT + (place + 0.5) * step for place in range(len(rows))]
    dots = [
        (round(x, 1), round(_up(value), 1), row["reference"] == "NG", f"{row['part_id']}: {value:.3f}")
        for x, row in zip(across, rows, strict=True)
        for value in row[what]
    ]
    good = sum(row["reference"] == "OK" for row in rows)
    return {
        "title": title,
        "dots": dots,
        "parted": round(_LEFT + good * step, 1),  # where the defective parts begin
        "up": [(round(_up(value), 1), f"{value:.1f}") for value in (0.0, 0.5, 1.0)],
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
    }


def _up(value: float) -> float:
    return _HEIGHT - _EDGE - value * (_HEIGHT - 2 * _EDGE)


def as_csv(document: Mapping[str, Any]) -> str:
    """Every figure, one a line, with its denominator, its interval and the trade's limit."""
    columns = ("appraiser", "figure", "count", "of", "value", "low", "high", "limit", "beside_limit")
    return csv_text(columns, _rows(document))


def _rows(told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for one in told["appraisers"]:
        for name in RATES:
            limit, beside = told["limits"].get(name), one["beside_limits"].get(name, "")
            bound = f"{limit['is']} {limit['limit']}" if limit else ""
            figure = one[name]
            yield one["name"], figure["name"], figure["count"], figure["of"], *_interval(figure), bound, beside
        for name in ("within", "against_reference"):
            yield one["name"], f"kappa_{name}", "", "", *_interval(one[name]), "", ""
    yield "all operators", "kappa_between", "", "", *_interval(told["between_operators"]), "", ""
    for two in told["pairs"]:
        yield " / ".join(two["pair"]), "kappa_of_pair", "", "", *_interval(two), "", ""


def _interval(figure: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple("" if figure[name] is None else figure[name] for name in ("value", "low", "high"))
