"""Figures of a shift, from a ledger: routings, latency, throughput, and what trust was worth against the truth."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from linewarden_audit.balance import balance
from linewarden_audit.facts import InspectedFrame
from linewarden_audit.findings import Allowance, Discrepancy
from linewarden_audit.ledger import AuditLedger
from linewarden_schemas.vocabulary import Cause, Routing, Verdict


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of ascending values with at least `share` of them at or below it."""
    if not ordered:
        return None
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])


def trust_worth(ledger: AuditLedger, truth: Mapping[str, bool]) -> dict[str, int | float | None]:
    """Trust against the rival that anybody could have: lowering the threshold until as many passes are diverted.

    Counted are visits whose truth (defective or not) is known. `misses_without_trust`: defective ones whose views the
    network all called OK. `misses_by_threshold_at_same_diversion`: those of them that remain when the visits with the
    highest p_defect are diverted instead, as many as trust diverted. `diversion_rate_of_passes` has the visits that
    the network alone would have passed as denominator; low trust and audit count in it. None where there were none.
    """
    known = {visit: first for visit, first in ledger.first.items() if visit in truth}
    passes = {visit: p for visit, p in _network_passes(ledger.inspected.values()).items() if visit in known}
    by_trust = {visit for visit in passes if Cause.LOW_TRUST in known[visit].causes}
    by_audit = {visit for visit in passes if Cause.AUDIT in known[visit].causes} - by_trust
    rivals = sorted(passes.keys() - by_audit, key=lambda visit: (-passes[visit], visit))
    defective = {visit for visit in known if truth[visit]}
    passed = {visit for visit, first in known.items() if first.routing is Routing.TRUSTED_PASS}
    return {
        "defective": len(defective),
        "misses_passed": len(defective & passed),
        "misses_without_trust": len(defective & passes.keys()),
        "misses_by_threshold_at_same_diversion": len(defective & set(rivals[len(by_trust) :])),
        "diversion_rate_of_passes": round(len(by_trust | by_audit) / len(passes), 4) if passes else None,
    }


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
    ledger: AuditLedger, now_ms: int, truth: Mapping[str, bool] | None = None, allowance: Allowance | None = None
) -> dict[str, Any]:
    """All figures of a shift that the topics tell, for JSON; `truth` says of visits whether they are defective.

    `diverted_by_cause` counts a visit with two causes in both; `latency_ms` is from first capture to first routing.
    """
    report = balance(ledger, now_ms, allowance)
    first, inspected = ledger.first.values(), ledger.inspected.values()
    routed = Counter(visit.routing for visit in first)
    causes = Counter(cause.value for one in first if one.routing is Routing.DIVERTED for cause in one.causes)
    times = sorted(visit.decided_ms - visit.first_captured_ms for visit in first)
    frames_per_s = None
    if len(inspected) > 1:  # from the first capture to the last answer
        begun, ended = min(one.captured_ms for one in inspected), max(one.inspected_ms for one in inspected)
        frames_per_s = round(len(inspected) * 1000 / max(1, ended - begun), 2)
    summary: dict[str, Any] = {
        "visits": report.visits,
        "frames": report.frames,
        **{routing.value: routed[routing] for routing in Routing},
        "diverted_by_cause": dict(sorted(causes.items())),
        "not_decidable": report.not_decidable,
        "dead_letters": report.dead_letters,
        "in_flight": report.in_flight,
        "waiting": report.waiting,
        "balance": {"closes": report.closes} | {kind.value: len(report.named(kind)) for kind in Discrepancy},
        "findings": [asdict(finding) for finding in report.findings],
        "latency_ms": {"p50": percentile(times, 0.50), "p99": percentile(times, 0.99)},
        "frames_per_s": frames_per_s,
    }
    if truth is not None:
        summary["truth"] = trust_worth(ledger, truth)
    return summary
