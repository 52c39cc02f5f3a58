"""The report of a shift as a document: plain values, from which page and table are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from linewarden_domain.rates import INTERVAL, Rate, rate
from linewarden_history.reports.gather import Gathered
from linewarden_schemas.vocabulary import LineMode, Routing

from .p_chart import p_chart
from .periods import Period, total_by_mode
from .tally import ShiftTally

SCHEMA = "linewarden.shift-report.v1"
MISSING = (
    (
        "Pareto by zone: recipes name zones in part coordinates (mm), and no record says where in the picture the part "
        "lies, so no defect can be given to a zone. The map of positions below is in picture coordinates instead."
    ),
    "Pareto by cavity: no record carries the cavity, mould or tool that a part comes from.",
    (
        "Master checks: line state tells when a line was in verification and what was inspected meanwhile; which "
        "answer a master part should have got is not recorded, so that no check is called passed or failed here."
    ),
)
DEFINITIONS = (
    (
        "first_pass_yield_of_settled_first_visits",
        (
            "left as good at their first presentation (trusted, or accepted by people), of the first presentations of "
            "which nothing more is to come"
        ),
    ),
    ("defective_rate_of_visits", "found defective by people, or by the machine without anybody overruling it"),
    (
        "diversion_rate_of_passes",
        "withheld for low trust or audit, of the visits whose views the network all called OK",
    ),
    (
        "overkill_rate_of_reviewed_rejects",
        (
            "rejects that people found good, of the machine's rejects that people reviewed; nothing else is known "
            "about overkill while a line runs"
        ),
    ),
)


def document(about: Mapping[str, Any], tally: ShiftTally, told: Sequence[Period], gathered: Gathered) -> dict[str, Any]:
    """Everything that the report says; `about` names namespace, range, line, shift and when it was made."""
    counts = tally.counts
    modes = total_by_mode(told)
    return {
        "schema": SCHEMA,
        **about,
        "interval": INTERVAL,
        "visits": counts["visits"],
        "settled": counts["settled"],
        "returned": counts["returned"],
        "machine_rejected": counts["machine_rejected"],
        "concessions": counts["concessions"],
        "routings": {name: tally.routings[name] for name in (*(one.value for one in Routing), "none yet")},
        "diverted_by_cause": _ordered(tally.causes),
        "outcomes": _ordered(tally.outcomes),
        "left_out": _ordered(tally.left_out),
        "rates": [one.as_dict() for one in _rates(counts)],
        "pareto": {
            "class": pareto(tally.by_class),
            "camera": pareto(tally.by_camera),
            "product": pareto(tally.by_product),
        },
        "defective": counts["defective"],
        "p_chart": p_chart(_subgroups(tally)).as_dict() | {"subgroup_ms": tally.scope.subgroup_ms},
        "positions": {view: found.as_dict() for view, found in sorted(tally.maps.items())},
        "unmapped_frames": counts["unmapped"],
        "time_ms": modes,
        "production_share_of_scheduled": _share(modes),
        "periods": [one.as_dict() | {"mode": one.mode.value} for one in told],
        "checks": [_check(one, tally) for one in told if one.mode is LineMode.VERIFICATION],
        "escapes": tally.escapes.as_dict(counts["visits"], gathered.escapes),
        "unreadable": {"count": gathered.unreadable.count, "places": gathered.unreadable.places},
        "missing": list(MISSING),
        "definitions": [list(one) for one in DEFINITIONS],
    }


def pareto(counted: Mapping[str, int]) -> list[dict[str, Any]]:
    """Largest first, with shares and running shares of all."""
    total, running, rows = sum(counted.values()), 0, []
    for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        running += count
        rows.append({"name": name, "count": count, "share": count / total, "running": running / total})
    return rows


def _rates(counts: Counter[str]) -> Iterable[Rate]:
    yield rate("first_pass_yield_of_settled_first_visits", counts["passed_first"], counts["settled_first"])
    yield rate("defective_rate_of_visits", counts["defective"], counts["visits"])
    yield rate("diversion_rate_of_passes", counts["diverted_passes"], counts["network_passes"])
    yield rate("overkill_rate_of_reviewed_rejects", counts["overruled_rejects"], counts["reviewed_rejects"])


def _subgroups(tally: ShiftTally) -> list[tuple[int, int, int]]:
    return [(at_ms, bad, made) for at_ms, (bad, made) in sorted(tally.subgroups.items())]


def _share(modes: Mapping[str, int]) -> float | None:
    """Production over production, bypass and stops; setup and verification are planned."""
    scheduled = sum(modes[mode.value] for mode in (LineMode.PRODUCTION, LineMode.BYPASS, LineMode.STOPPED))
    return modes[LineMode.PRODUCTION.value] / scheduled if scheduled else None


def _check(period: Period, tally: ShiftTally) -> dict[str, Any]:
    seen = tally.checks.get((period.line_id, period.since_ms), Counter())
    names = ("visits", *(one.value for one in Routing), "none yet")
    return period.as_dict() | {"mode": period.mode.value} | {name: seen[name] for name in names}


def _ordered(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
