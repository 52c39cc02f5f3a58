"""Drift: ingredients of passed parts from a file of results, the good ones of a card, and what to do about a shift."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linewarden_domain.resampling import Values
from linewarden_vision.card import Card
from linewarden_vision.watch.drift import Drift, IngredientShift


@dataclass(frozen=True, slots=True)
class SeenParts:
    """Ingredients (N,) of pictures with the verdict OK, not a number where absent; other verdicts are counted."""

    ingredients: dict[str, Values]
    count: int
    others: Counter[str]


def read_results(path: Path) -> SeenParts:
    """Read what ``linewarden inspect`` or an export of inspections wrote: verdict, and ingredients by name.

    Raises ValueError, naming the line, for what is no result, and where no line has ingredients.
    """
    rows: list[dict[str, float]] = []
    others: Counter[str] = Counter()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            result = json.loads(line)
            verdict, ingredients = str(result["verdict"]), result.get("ingredients") or {}
            if verdict == "OK":
                rows.append({str(name): float(value) for name, value in ingredients.items()})
            else:
                others[verdict] += 1
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}, line {number} is no result of an inspection: {error}") from error
    names = sorted({name for row in rows for name in row})
    if not names:
        raise ValueError(f"{path} holds no passed part with ingredients: nothing to compare")
    columns = {name: np.asarray([row.get(name, np.nan) for row in rows], float) for name in names}
    return SeenParts(columns, len(rows), others)


def good_values(card: Card) -> dict[str, Values]:
    """Return the frozen good values of every ingredient that is computed for all parts."""
    return {part.name: np.asarray(part.good, float) for part in card.trust.ingredients}


_FIRST = "look at light, lens, focus and fixture, and inspect the master parts"


def advice(drift: Drift, qualified: bool) -> list[str]:
    """Say what to do next; nothing where nothing moved."""
    if not drift.alarms:
        watched = sorted({shift.name for shift in drift.shifts if shift.level == "watch"})
        return [f"watch {', '.join(watched)}: a small shift that is not chance"] if watched else []
    names = sorted({shift.name for shift in drift.alarms})
    lines = [f"ALARM: {', '.join(names)} no longer look like the good parts that the bundle was set on: {_FIRST}"]
    lines.append("until it is explained, divert more: raise the audit share or lower the recipe's suspicion threshold")
    lines.append("if the product or its surface changed for good: collect new good parts, train or calibrate again")
    if qualified:
        lines.append("the qualification speaks of parts like those of its calibration: qualify again on new ones")
    return lines


def row_of(shift: IngredientShift) -> dict[str, str]:
    """Return one row of the table."""
    return {
        "window": str(shift.window + 1),
        "ingredient": shift.name,
        "parts": str(shift.count),
        "PSI": f"{shift.psi:.3f}",
        "p (corrected)": f"{shift.p_value:.2g}",
        "": shift.level,
    }
