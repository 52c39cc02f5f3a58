"""What every report counts of production: how it was routed and judged, and what escaped of it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from linewarden_domain.rates import INTERVAL, rate
from linewarden_history.reports.story import VisitHistory
from linewarden_schemas.vocabulary import Cause, Outcome, Routing

_MOST_LISTED = 200
_LEFT_AS = {
    Outcome.ACCEPT: "accepted by people",
    Outcome.USE_AS_IS: "used as is by concession",
    Outcome.REWORK: "sent to rework, and must not have left",
    Outcome.SCRAP: "scrapped, and must not have left",
    Routing.TRUSTED_PASS: "trusted pass",
    Routing.DIVERTED: "diverted, and must not have left",
    Routing.REJECTED: "rejected, and must not have left",
}


@dataclass(slots=True)
class EscapeTally:
    """Counts visits, not reports: two reports of one passage are one escape."""

    visits: int = 0
    reports: int = 0
    by_way: Counter[str] = field(default_factory=Counter)
    by_class: Counter[str] = field(default_factory=Counter)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, story: VisitHistory) -> None:
        """Count a visit of production; one that nobody reported is passed over."""
        if not story.escapes:
            return
        way = left_as(story)
        self.visits += 1
        self.reports += len(story.escapes)
        self.by_way[way] += 1
        self.by_class.update({one.defect_class for one in story.escapes})
        for one in story.escapes[: _MOST_LISTED - len(self.listed)]:
            told = one.model_dump(mode="json", exclude={"visit_id", "withdrawn"})
            self.listed.append(told | {"visit_id": story.visit_id, "left_as": way})

    def as_dict(self, inspected: int, reported: int) -> dict[str, Any]:
        """For documents; `reported` are all reports that stand, of whatever part."""
        share = rate("escapes_ppm_of_inspected", self.visits, inspected)
        found = {"value": share.value, "low": share.low, "high": share.high}
        ppm = {name: None if value is None else value * 1_000_000 for name, value in found.items()}
        return {
            "visits": self.visits,
            "reports": self.reports,
            "of_other_visits": reported - self.reports,
            "interval": INTERVAL,
            "rate": share.as_dict() | ppm,
            "by_way": dict(sorted(self.by_way.items())),
            "by_class": dict(sorted(self.by_class.items())),
            "listed": self.listed,
        }


def left_as(story: VisitHistory) -> str:
    """How an escaped part left, in words."""
    latest = story.latest
    if latest is None or not latest.final:
        return "before it was settled"
    return _LEFT_AS[latest.outcome or latest.routing]


@dataclass(slots=True)
class ProductionTally:
    """Counts of visits in production, nothing else is kept of one; `left_out` says why a visit is none."""

    counts: Counter[str] = field(default_factory=Counter)
    routings: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    escapes: EscapeTally = field(default_factory=EscapeTally)

    def count(self, story: VisitHistory) -> None:
        """Count a visit of production: routing, outcome, and which passes were withheld and which rejects reviewed."""
        counts, latest = self.counts, story.latest
        counts["visits"] += 1
        self.escapes.add(story)
        self.routings[story.first.routing.value if story.first else "none yet"] += 1
        if story.first is not None and story.first.routing is Routing.DIVERTED:
            self.causes.update(cause.value for cause in story.causes)
        if latest is not None and latest.outcome is not None:
            self.outcomes[latest.outcome.value] += 1
        if story.network_passed:
            counts["network_passes"] += 1
            counts["diverted_passes"] += not {Cause.LOW_TRUST, Cause.AUDIT}.isdisjoint(story.causes)
        if story.machine_rejected:
            counts["machine_rejected"] += 1
            counts["reviewed_rejects"] += story.found_good or story.found_bad
            counts["overruled_rejects"] += story.found_good
