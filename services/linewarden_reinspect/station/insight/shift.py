"""A lead's figures of a shift, out of the judgements that count."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import quantiles
from typing import Any

from linewarden_domain.kappa import cohen
from linewarden_reinspect.station.insight.judgements import Judged, reviewed_twice
from linewarden_schemas.vocabulary import Judgement

_HOUR_MS = 3_600_000


def figures(judged: Sequence[Judged], from_ms: int, to_ms: int) -> dict[str, Any]:
    """Throughput by hour, time from opening to judgement, escalations, changed answers, and agreement."""
    by_hour = Counter((one.at_ms - from_ms) // _HOUR_MS for one in judged)
    hours = range(max(1, -(-(to_ms - from_ms) // _HOUR_MS)))
    waits = sorted((one.at_ms - one.opened_ms) / 1000 for one in judged)
    agreed = cohen(Counter(reviewed_twice(judged)))
    changed = [one for one in judged if one.first_judgement]
    return {
        "from_ms": from_ms,
        "to_ms": to_ms,
        "judged": len(judged),
        "by_judgement": dict(Counter(one.judgement for one in judged)),
        "by_hour": [{"from_ms": from_ms + hour * _HOUR_MS, "judged": by_hour[hour]} for hour in hours],
        "age_s": {
            "n": len(waits),
            "median": _at(waits, 50),
            "p90": _at(waits, 90),
            "longest": waits[-1] if waits else None,
        },
        "escalated": sum(one.judgement == Judgement.UNSURE for one in judged),
        "answered_blind": len(changed),
        "changed_after_hints": sum(one.first_judgement != one.judgement for one in changed),
        "agreement": {
            "n": agreed.n,
            "alike": agreed.alike / agreed.n if agreed.n else None,
            "kappa": agreed.value,
        },
    }


def by_operator(judged: Iterable[Judged], key: bytes) -> list[dict[str, Any]]:
    """Counts a person under a pseudonym, ordered by pseudonym, not by result.

    The same word for the same person at this station, and no way back without its key.
    """
    people: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in judged:
        word = hmac.new(key, one.actor.encode(), hashlib.sha256).hexdigest()[:6]
        people[f"operator {word}"][one.judgement] += 1
    return [
        {"operator": name, "judged": counts.total(), **{answer.value: counts[answer.value] for answer in Judgement}}
        for name, counts in sorted(people.items())
    ]


def _at(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=100, method="inclusive")[percent - 1]
