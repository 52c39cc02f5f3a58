"""How far two judges agree beyond chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

_Z = 1.959963984540054  # two-sided 95 % of a normal distribution
SOURCE = (
    "Cohen's kappa (Educational and Psychological Measurement 20, 1960) with the large-sample standard error of "
    "J. L. Fleiss, J. Cohen and B. S. Everitt (Psychological Bulletin 72, 1969), two-sided 95 %"
)


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement over `n` pairs; `value` is None where chance alone would make all alike, the interval then too."""

    n: int
    alike: int
    value: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """Its fields by name, fit for JSON; what cannot be estimated stays None."""
        return asdict(self)


def cohen(table: Mapping[tuple[str, str], int]) -> Kappa:
    """Cohen's kappa of counted pairs of answers; the interval is cut to -1 to 1.

    >>> found = cohen({("OK", "OK"): 40, ("NG", "NG"): 45, ("OK", "NG"): 5, ("NG", "OK"): 10})
    >>> found.n, found.alike, round(found.value, 2)
    (100, 85, 0.7)
    """
    n = sum(table.values())
    alike = sum(count for (first, second), count in table.items() if first == second)
    if n == 0:
        return Kappa(0, 0, None, None, None)
    names = sorted({name for pair in table for name in pair})
    rows = {name: sum(table.get((name, other), 0) for other in names) / n for name in names}
    columns = {name: sum(table.get((other, name), 0) for other in names) / n for name in names}
    by_chance = sum(rows[name] * columns[name] for name in names)
    if by_chance >= 1.0 - 1e-12:
        return Kappa(n, alike, None, None, None)
    value = (alike / n - by_chance) / (1 - by_chance)
    error = _standard_error(table, n, rows, columns, value, by_chance)
    return Kappa(n, alike, value, max(-1.0, value - _Z * error), min(1.0, value + _Z * error))


def _standard_error(
    table: Mapping[tuple[str, str], int],
    n: int,
    rows: Mapping[str, float],
    columns: Mapping[str, float],
    value: float,
    by_chance: float,
) -> float:
    """Equation 13 of Fleiss, Cohen and Everitt, without weights."""
    same = other = 0.0
    for (first, second), count in table.items():
        share = count / n
        if first == second:
            same += share * (1 - (rows[first] + columns[first]) * (1 - value)) ** 2
        else:
            other += share * (columns[first] + rows[second]) ** 2
    left = (value - by_chance * (1 - value)) ** 2
    variance = same + (1 - value) ** 2 * other - left
    return sqrt(max(0.0, variance) / n) / (1 - by_chance)
