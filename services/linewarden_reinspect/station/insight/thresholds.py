"""What another threshold on suspicion would have done to the newest visits.

A recipe's threshold can only divert more than its bundle does: route believes an OK only where both would. What a
looser one would have passed is shown all the same, as the reason to qualify the bundle anew; it cannot be drafted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linewarden_reinspect.station.insight.recent import SeenFrame
from linewarden_schemas.vocabulary import Judgement, Verdict


@dataclass(frozen=True, slots=True)
class Side:
    """One visit's worst view under a threshold: withheld with doubt, or passed."""

    visit_id: str
    worst: SeenFrame
    suspicion: float


def ok_visits(visits: Mapping[str, Sequence[SeenFrame]]) -> list[Side]:
    """Visits that the machine calls OK in every view, with their most suspicious frame."""
    sides = []
    for visit, frames in visits.items():
        scored = [(one.suspicion, one) for one in frames if one.verdict is Verdict.OK and one.suspicion is not None]
        if frames and len(scored) == len(frames):
            suspicion, worst = max(scored, key=lambda pair: pair[0])
            sides.append(Side(visit, worst, suspicion))
    return sides


def simulate(
    visits: Mapping[str, Sequence[SeenFrame]], truth: Mapping[str, Judgement], now: float, wanted: float
) -> dict[str, Any]:
    """Figures at the threshold in force and at the wanted one, and the pictures that change side between them."""
    sides = ok_visits(visits)
    changing = [side for side in sides if (side.suspicion >= now) != (side.suspicion >= wanted)]
    changing.sort(key=lambda side: -side.suspicion)
    return {
        "visits": len(visits),
        "hours": _hours(visits),
        "now": _figures(visits, sides, truth, now),
        "wanted": _figures(visits, sides, truth, wanted),
        "changing": [_change(side, truth, wanted) for side in changing[:60]],
        "changing_count": len(changing),
    }


def _figures(
    visits: Mapping[str, Sequence[SeenFrame]], sides: Sequence[Side], truth: Mapping[str, Judgement], threshold: float
) -> dict[str, Any]:
    diverted = [side for side in sides if side.suspicion >= threshold]
    good = [visit for visit in visits if truth.get(visit) is Judgement.OK]
    rejected = [visit for visit in good if any(one.verdict is Verdict.NG for one in visits[visit])]
    good_diverted = [side for side in diverted if truth.get(side.visit_id) is Judgement.OK]
    misses = [side for side in sides if truth.get(side.visit_id) is Judgement.NG]
    hours = _hours(visits)
    return {
        "threshold": threshold,
        "diverted": len(diverted),
        "passes": len(sides),
        "diversion_rate_of_passes": len(diverted) / len(sides) if sides else None,
        "diversions_per_hour": len(diverted) / hours if hours else None,
        "good": len(good),
        "overkill_rate_of_good": len(rejected) / len(good) if good else None,
        "good_diverted": len(good_diverted),
        "known_misses": len(misses),
        "known_misses_passed": sum(side.suspicion < threshold for side in misses),
    }


def _hours(visits: Mapping[str, Sequence[SeenFrame]]) -> float:
    """Time between the first and the last of the visits, in hours; 0 where there are too few to say."""
    times = [one.captured_ms for frames in visits.values() for one in frames]
    return (max(times) - min(times)) / 3_600_000 if len(visits) > 1 else 0.0


def _change(side: Side, truth: Mapping[str, Judgement], wanted: float) -> dict[str, Any]:
    found = truth.get(side.visit_id)
    return {
        "visit_id": side.visit_id,
        "frame_id": side.worst.frame_id,
        "view_id": side.worst.view_id,
        "suspicion": side.suspicion,
        "to": "diverted" if side.suspicion >= wanted else "passed",
        "found": None if found is None else found.value,
    }
