"""Figures of a shift, from a ledger: routings, latency, throughput, and what trust was worth against the truth."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linewarden_history.ledger import InspectedFrame, Ledger
from linewarden_schemas.vocabulary import Cause, Routing, Verdict

from .balance import Allowance, BalanceReport, Kind, balance


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the first capture of a visit to its routing; None where no visit was routed."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class TrustWorth:
    """Trust against the rival that anybody could have: lowering the threshold until as many passes are diverted.

    Counted are visits. `misses_without_trust`: defective visits whose views the network all called OK.
    `misses_by_threshold_at_same_diversion`: those of them that remain when the visits with the highest p_defect are
    diverted instead, as many as trust diverted. `diversion_rate_of_passes` has the visits that the network alone
    would have passed as denominator; low trust and audit count in it. None where there were none.
    """

    defective: int
    misses_passed: int
    misses_without_trust: int
    misses_by_threshold_at_same_diversion: int
    diversion_rate_of_passes: float | None


def latency(ledger: Ledger) -> Latency:
    """Latency of all first routings."""
    values = sorted(visit.decided_ms - visit.first_captured_ms for visit in ledger.first.values())
    return Latency(percentile(values, 0.50), percentile(values, 0.99))


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of ascending values with at least `share` of them at or below it."""
    if not ordered:
        return None
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])


def routings(ledger: Ledger) -> dict[Routing, int]:
    """First routings by kind, all kinds named."""
    counted = Counter(visit.routing for visit in ledger.first.values())
    return {routing: counted[routing] for routing in Routing}


def diverted_by_cause(ledger: Ledger) -> dict[str, int]:
    """First diversions by cause; a visit with two causes counts in both."""
    diverted = (visit for visit in ledger.first.values() if visit.routing is Routing.DIVERTED)
    return dict(sorted(Counter(cause.value for visit in diverted for cause in visit.causes).items()))


def frames_per_s(ledger: Ledger) -> float | None:
    """Frames answered a second, from the first capture to the last answer; None for fewer than two."""
    if len(ledger.inspected) < 2:
        return None
    begun = min(frame.captured_ms for frame in ledger.inspected.values())
    ended = max(frame.inspected_ms for frame in ledger.inspected.values())
    return round(len(ledger.inspected) * 1000 / max(1, ended - begun), 2)


def trust_worth(ledger: Ledger, truth: Mapping[str, bool]) -> TrustWorth:
    """What trust caught and what it cost, over the visits whose truth (defective or not) is known."""
    known = {visit: first for visit, first in ledger.first.items() if visit in truth}
    passes = {visit: p for visit, p in _network_passes(ledger.inspected.values()).items() if visit in known}
    by_trust = {visit for visit in passes if Cause.LOW_TRUST in known[visit].causes}
    by_audit = {visit for visit in passes if Cause.AUDIT in known[visit].causes} - by_trust
    rivals = sorted(passes.keys() - by_audit, key=lambda visit: (-passes[visit], visit))
    defective = {visit for visit in known if truth[visit]}
    passed = {visit for visit, first in known.items() if first.routing is Routing.TRUSTED_PASS}
    return TrustWorth(
        defective=len(defective),
        misses_passed=len(defective & passed),
        misses_without_trust=len(defective & passes.keys()),
        misses_by_threshold_at_same_diversion=len(defective & set(rivals[len(by_trust) :])),
        diversion_rate_of_passes=round(len(by_trust | by_audit) / len(passes), 4) if passes else None,
    )


def _network_passes(frames: Iterable[InspectedFrame]) -> dict[str, float]:
    """Visits whose inspected views the network all called OK, with the highest p_defect among them."""
    views: defaultdict[str, list[InspectedFrame]] = defaultdict(list)
    for frame in frames:
        views[frame.visit_id].append(frame)
    return {
        visit: max(frame.p_defect or 0.0 for frame in of_visit)
        for visit, of_visit in views.items()
        if all(frame.verdict is Verdict.OK for frame in of_visit)
    }


def shift_summary(
    ledger: Ledger, now_ms: int, truth: Mapping[str, bool] | None = None, allowance: Allowance | None = None
) -> dict[str, Any]:
    """All figures of a shift that the topics tell, for JSON; `truth` says of visits whether they are defective."""
    report = balance(ledger, now_ms, allowance)
    counted = routings(ledger)
    summary: dict[str, Any] = {
        "visits": report.visits,
        "frames": report.frames,
        **{routing.value: count for routing, count in counted.items()},
        "diverted_by_cause": diverted_by_cause(ledger),
        "not_decidable": report.not_decidable,
        "dead_letters": report.dead_letters,
        "in_flight": report.in_flight,
        "waiting": report.waiting,
        "balance": balance_counts(report),
        "findings": [asdict(finding) for finding in report.findings],
        "latency_ms": asdict(latency(ledger)),
        "frames_per_s": frames_per_s(ledger),
    }
    if truth is not None:
        summary["truth"] = asdict(trust_worth(ledger, truth))
    return summary


def balance_counts(report: BalanceReport) -> dict[str, Any]:
    """Whether it closes, and how many ids do not add up."""
    return {"closes": report.closes} | {kind.value: len(report.named(kind)) for kind in Kind}
