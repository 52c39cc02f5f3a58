"""The report of a shift, from the topics to a document: plain values, from which page and table are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from linewarden_domain.rates import INTERVAL, rate
from linewarden_history.reading import Looked
from linewarden_history.reports.gather import UnreadableRecords, gather, messages, tell_visits
from linewarden_history.reports.store import VisitStore
from linewarden_history.selection import Selection
from linewarden_history.shifts.p_chart import p_chart
from linewarden_history.shifts.periods import Period, newest_shift, periods, total_by_mode
from linewarden_history.shifts.tally import Scope, ShiftTally
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import LineState
from linewarden_schemas.vocabulary import LineMode, Routing

NO_ZONE = (
    "Pareto by zone: no defect of these visits was measured by zone; recipes with zones or acceptance criteria have "
    "it. The map of positions below is in picture coordinates."
)
NO_CAVITY = "Pareto by cavity: no capture of these visits carries the cavity that its part comes from."
MISSING = (
    (
        "Master checks: line state tells when a line was in verification and what was inspected meanwhile; what master "
        "parts had to get is not read here, so that no check is called passed or failed (linewarden line check show)."
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


def states_of(broker: Broker, namespace: Namespace, unreadable: UnreadableRecords | None = None) -> list[LineState]:
    """Every line state that is kept, in the order of the log; raises BrokerUnavailable."""
    told = messages(broker, namespace.topic("line-state"), 0, (unreadable or UnreadableRecords()).add)
    return [one for one in told if isinstance(one, LineState)]


def report(
    broker: Broker,
    namespace: Namespace,
    scope: Scope,
    *,
    from_ms: int | None,
    to_ms: int,
    line_id: str | None = None,
    looked: Looked = lambda *_: None,
) -> dict[str, Any]:
    """Read the namespace by assign() and report on a range (epoch ms); nothing is written.

    Without `from_ms` it is the newest run of the scope's shift, else the last day before `to_ms`.

    Raises:
        ValueError: for a shift that no line state names, or a range that ends before it begins.
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    unreadable = UnreadableRecords()
    states = states_of(broker, namespace, unreadable)
    if from_ms is None and scope.shift is not None:
        from_ms, to_ms = newest_shift(states, scope.shift, to_ms, line_id)
    elif from_ms is None:
        from_ms = max(0, to_ms - 86_400_000)
    stretch = Selection(from_ms, to_ms, line_id)
    tally = ShiftTally(scope=scope)
    with VisitStore() as shelf:
        found, escapes = gather(broker, namespace, stretch, shelf, looked)
        for story in tell_visits(shelf, stretch):
            tally.add(story)
    found.count += unreadable.count
    found.places += unreadable.places
    in_range = periods(states, from_ms, to_ms, line_id)
    shown = [one for one in in_range if scope.shift in {None, one.shift}]
    about = {
        "namespace": namespace.name,
        "from_ms": from_ms,
        "to_ms": to_ms,
        "line_id": line_id,
        "shift": scope.shift,
        "simulated": scope.simulated,
    }
    return document(about, tally, shown, found, escapes)


def document(
    about: Mapping[str, Any], tally: ShiftTally, told: Sequence[Period], unreadable: UnreadableRecords, escapes: int
) -> dict[str, Any]:
    """Everything that the report says; `about` names namespace, range, line, shift and when it was made."""
    counts = tally.counts
    modes = total_by_mode(told)
    # setup and verification are planned
    scheduled = sum(modes[mode.value] for mode in (LineMode.PRODUCTION, LineMode.BYPASS, LineMode.STOPPED))
    subgroups = [(at_ms, bad, made) for at_ms, (bad, made) in sorted(tally.subgroups.items())]
    return {
        "schema": "linewarden.shift-report.v1",
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
        "rates": [
            rate("first_pass_yield_of_settled_first_visits", counts["passed_first"], counts["settled_first"]).as_dict(),
            rate("defective_rate_of_visits", counts["defective"], counts["visits"]).as_dict(),
            rate("diversion_rate_of_passes", counts["diverted_passes"], counts["network_passes"]).as_dict(),
            rate(
                "overkill_rate_of_reviewed_rejects", counts["overruled_rejects"], counts["reviewed_rejects"]
            ).as_dict(),
        ],
        "pareto": {
            "class": pareto(tally.by_class),
            "camera": pareto(tally.by_camera),
            "product": pareto(tally.by_product),
            "zone": pareto(tally.by_zone),
            "cavity": pareto(tally.by_cavity),
        },
        "defective": counts["defective"],
        "p_chart": p_chart(subgroups) | {"subgroup_ms": tally.scope.subgroup_ms},
        "positions": {view: found.as_dict() for view, found in sorted(tally.maps.items())},
        "unmapped_frames": counts["unmapped"],
        "time_ms": modes,
        "production_share_of_scheduled": modes[LineMode.PRODUCTION.value] / scheduled if scheduled else None,
        "periods": [one.as_dict() for one in told],
        "checks": [_check(one, tally) for one in told if one.mode is LineMode.VERIFICATION],
        "escapes": tally.escapes.as_dict(counts["visits"], escapes),
        "unreadable": {"count": unreadable.count, "places": unreadable.places},
        "missing": [
            *(() if tally.by_zone else (NO_ZONE,)),
            *(() if tally.by_cavity else (NO_CAVITY,)),
            *MISSING,
        ],
        "definitions": [list(one) for one in DEFINITIONS],
    }


def pareto(counted: Mapping[str, int]) -> list[dict[str, Any]]:
    """Largest first, with shares and running shares of all."""
    total, running, rows = sum(counted.values()), 0, []
    for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        running += count
        rows.append({"name": name, "count": count, "share": count / total, "running": running / total})
    return rows


def _check(period: Period, tally: ShiftTally) -> dict[str, Any]:
    seen = tally.checks.get((period.line_id, period.since_ms), Counter())
    names = ("visits", *(one.value for one in Routing), "none yet")
    return period.as_dict() | {name: seen[name] for name in names}


def _ordered(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
