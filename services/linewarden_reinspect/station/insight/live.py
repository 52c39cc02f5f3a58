"""Defects among trusted passes from audits, by day, and drift of trust and of what it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from linewarden_reinspect.station.insight.index import HistoryIndex
from linewarden_reinspect.station.insight.judgements import Judged
from linewarden_reinspect.station.insight.passes import PassedVisit
from linewarden_reinspect.station.insight.recent import SeenFrame
from linewarden_schemas.vocabulary import Cause, Judgement, Verdict
from linewarden_vision.watch.drift import IngredientShift, find_drift
from linewarden_vision.watch.estimate import CatchRecord, LiveEstimate, Stratum, estimate

DAY_MS = 86_400_000
WINDOW = 500
"""Frames with the verdict OK in a window of drift."""
DELTA = 0.01
"""Chance of any false alarm of drift, half of it for trust and half for its ingredients."""


@dataclass(frozen=True, slots=True)
class Day:
    """One whole day (UTC) of trusted passes; `is_over` is false for the one that still runs."""

    start_ms: int
    is_over: bool
    found: LiveEstimate


@dataclass(frozen=True, slots=True)
class Moved:
    """Drift of trust against the oldest window kept, and of its ingredients against the bundle's good parts.

    `frames` were compared; `has_reference` is false where the bundle is not at hand here.
    """

    frames: int
    has_reference: bool
    trust: tuple[IngredientShift, ...]
    ingredients: tuple[IngredientShift, ...]

    @property
    def alarms(self) -> tuple[str, ...]:
        """Names of what no longer looks as it did, in the newest window."""
        shifts = (*self.trust, *self.ingredients)
        newest = max((shift.window for shift in shifts), default=0)
        return tuple(shift.name for shift in shifts if shift.level == "alarm" and shift.window == newest)


def by_day(passes: Iterable[PassedVisit], catches: CatchRecord, now_ms: int) -> list[Day]:
    """The estimate of each day with a trusted pass, newest first; versions of the recipe are strata of their own."""
    days: dict[int, list[PassedVisit]] = {}
    for one in passes:
        if not one.is_doubted:
            days.setdefault(one.captured_ms // DAY_MS, []).append(one)
    found = []
    for day, ours in sorted(days.items(), reverse=True):
        whole = Counter(one.version for one in ours)
        answers = Counter((one.version, one.defective) for one in ours if one.is_audit)
        strata = [
            Stratum(str(version), count, answers[version, False], answers[version, True], answers[version, None])
            for version, count in sorted(whole.items())
        ]
        found.append(Day(day * DAY_MS, (day + 1) * DAY_MS <= now_ms, estimate(strata, catches)))
    return found


def catches_of(index: HistoryIndex, judged: Iterable[Judged], line_id: str, from_ms: int) -> CatchRecord:
    """Known-bads opened since then on a line, and those that a judgement that counts called NG, each visit once."""
    rows = index.rows(
        "SELECT DISTINCT visit_id FROM slots WHERE line_id = ? AND causes LIKE ? AND opened_ms >= ?",
        line_id,
        f"%{Cause.KNOWN_BAD.value}%",
        from_ms,
    )
    shown = {row["visit_id"] for row in rows}
    caught = {one.visit_id for one in judged if one.judgement == Judgement.NG}
    return CatchRecord(len(shown), len(shown & caught))


def drift_of(frames: Sequence[SeenFrame], good: Mapping[str, NDArray[np.float64]]) -> Moved:
    """Drift over frames of one bundle, in order of time, against its good values by ingredient."""
    passed = [one for one in frames if one.verdict is Verdict.OK and one.suspicion is not None]
    trust = np.asarray([one.suspicion for one in passed], np.float64)
    oldest, later = trust[:WINDOW], trust[WINDOW:]
    moved = find_drift({"suspicion": oldest}, {"suspicion": later}, window=WINDOW, delta=DELTA / 2).shifts
    seen = {name: np.asarray([one.ingredients.get(name, np.nan) for one in passed], np.float64) for name in good}
    made_of = find_drift(good, seen, window=WINDOW, delta=DELTA / 2).shifts if good else ()
    # windows of trust are counted as those of the ingredients are: its first one is the reference
    trust_shifts = tuple(replace(one, window=one.window + 1) for one in moved)
    return Moved(len(passed), bool(good), trust_shifts, made_of)
