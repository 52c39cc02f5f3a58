"""A lead's figures of a shift, out of the judgements that count."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import quantiles
from typing import Any

from linewarden_schemas.vocabulary import Judgement

from .judgements import Judged, agreement, reviewed_twice

_HOUR_MS = 3_600_000


def figures(judged: Sequence[Judged], from_ms: int, to_ms: int) -> dict[str, Any]:
    """Throughput by hour, time from opening to judgement, escalations, changed answers, and agreement."""
    waits = sorted((one.at_ms - one.opened_ms) / 1000 for one in judged)
    changed = [one for one in judged if one.first_judgement]
    return {
        "from_ms": from_ms,
        "to_ms": to_ms,
        "judged": len(judged),
        "by_judgement": dict(Counter(one.judgement for one in judged)),
        "by_hour": _by_hour(judged, from_ms, to_ms),
        "age_s": {
            "n": len(waits),
            "median": _at(waits, 50),
            "p90": _at(waits, 90),
            "longest": waits[-1] if waits else None,
        },
        "escalated": sum(one.judgement == Judgement.UNSURE for one in judged),
        "answered_blind": len(changed),
        "changed_after_hints": sum(one.first_judgement != one.judgement for one in changed),
        "agreement": asdict(agreement(reviewed_twice(judged))),
    }


def by_operator(judged: Iterable[Judged], key: bytes) -> list[dict[str, Any]]:
    """Counts a person under a pseudonym that only this station's key makes, ordered by pseudonym, not by result."""
    people: dict[str, list[Judged]] = {}
    for one in judged:
        people.setdefault(pseudonym(one.actor, key), []).append(one)
    return [{"operator": name, **_counts(ours)} for name, ours in sorted(people.items())]


def pseudonym(actor: str, key: bytes) -> str:
    """The same word for the same person at this station, and no way back without its key."""
    return f"operator {hmac.new(key, actor.encode(), hashlib.sha256).hexdigest()[:6]}"


def _counts(judged: Sequence[Judged]) -> dict[str, Any]:
    answers = Counter(one.judgement for one in judged)
    return {"judged": len(judged), **{answer.value: answers[answer.value] for answer in Judgement}}


def _by_hour(judged: Iterable[Judged], from_ms: int, to_ms: int) -> list[dict[str, int]]:
    counts = Counter((one.at_ms - from_ms) // _HOUR_MS for one in judged)
    hours = range(max(1, -(-(to_ms - from_ms) // _HOUR_MS)))
    return [{"from_ms": from_ms + hour * _HOUR_MS, "judged": counts[hour]} for hour in hours]


def _at(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=100, method="inclusive")[percent - 1]
