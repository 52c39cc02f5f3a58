"""Ingredients of passed parts from a file of results, one JSON object a line, in order of time."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linewarden_vision.card import Card

Values = NDArray[np.float64]


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
