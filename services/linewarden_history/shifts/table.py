"""The report of a shift as CSV: one figure a line, with its denominator."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

COLUMNS = ("section", "item", "count", "of", "share", "low", "high")
Row = tuple[object, ...]
_EMPTY = ("",) * 5


def as_csv(document: Mapping[str, Any]) -> str:
    """All figures; `low` and `high` are the interval of a rate, or the limits of a subgroup of the p-chart.

    Of escapes the three are parts per million, as their name says.
    """
    out = StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_rows(document))
    return out.getvalue()


def _rows(told: Mapping[str, Any]) -> Iterator[Row]:
    for name in ("namespace", "line_id", "shift", "from_ms", "to_ms"):
        yield ("about", f"{name}={'' if told[name] is None else told[name]}", *_EMPTY)
    for name in ("visits", "settled", "returned", "defective", "machine_rejected", "concessions"):
        yield ("count", name, told[name], *_EMPTY[1:])
    for section in ("routings", "diverted_by_cause", "outcomes", "left_out", "time_ms"):
        yield from ((section, name, count, *_EMPTY[1:]) for name, count in told[section].items())
    yield from _shares(told)
    yield from (("not told", line, *_EMPTY) for line in told["missing"])


def _shares(told: Mapping[str, Any]) -> Iterator[Row]:
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
