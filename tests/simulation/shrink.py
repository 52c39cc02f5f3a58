"""From a history that does not hold to a smaller one that fails in the same way: whatever can be dropped is dropped."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tests.simulation.history import Outcome, happen
from tests.simulation.plan import Plan

MOST_TRIES = 120


def shrunk(outcome: Outcome) -> Outcome:
    """The smallest outcome found by dropping faults and visits, halves first. Deterministic."""
    tries = MOST_TRIES
    kinds = {_kind(wrong) for wrong in outcome.wrong}

    def still_fails(plan: Plan) -> Outcome | None:
        nonlocal tries
        tries -= 1
        tried = happen(plan) if tries > 0 else None
        return tried if tried is not None and {_kind(wrong) for wrong in tried.wrong} & kinds else None

    best = outcome
    for part in ("faults", "visits", "faults"):
        size = max(1, len(getattr(best.plan, part)) // 2)
        while size >= 1:
            start = 0
            while start < len(items := getattr(best.plan, part)):
                kept = (*items[:start], *items[start + size :])
                smaller = still_fails(_with(best.plan, part, kept))
                if smaller is None:
                    start += size
                else:
                    best = smaller
            size //= 2
    return best


def _with(plan: Plan, part: str, kept: tuple[Any, ...]) -> Plan:
    return replace(plan, faults=kept) if part == "faults" else replace(plan, visits=kept)


def _kind(wrong: str) -> str:
    """What is wrong, without the names of those whom it befell."""
    return re.sub(r"[\d.']+|line1\S*", "", wrong)[:40]
