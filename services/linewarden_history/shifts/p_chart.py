"""The p-chart: the share of nonconforming units, one subgroup after the other, within binomial limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import binom

TAIL = 0.00135
"""Chance beyond each limit for a steady process, that of three standard deviations of a normal distribution."""
SOURCE = (
    "exact binomial probability limits at 0.135 % in each tail (the chance that Shewhart's three-sigma limits have for "
    "a normal distribution; NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.3.2; quantiles by scipy.stats.binom)"
)


@dataclass(frozen=True, slots=True)
class Point:
    """One subgroup; `at_ms` is where it begins. `lower` and `upper` are shares; outside them it is out of control."""

    at_ms: int
    defective: int
    n: int
    share: float
    lower: float
    upper: float
    signal: bool


@dataclass(frozen=True, slots=True)
class PChart:
    """All subgroups; `centre` is the share over all of them, None where nothing was made."""

    centre: float | None
    points: tuple[Point, ...]

    def as_dict(self) -> dict[str, Any]:
        """For documents."""
        return asdict(self) | {"source": SOURCE}


def p_chart(subgroups: Sequence[tuple[int, int, int]]) -> PChart:
    """Chart subgroups of (begin in epoch ms, nonconforming, made); those in which nothing was made are left out."""
    filled = [one for one in subgroups if one[2] > 0]
    made = sum(n for _, _, n in filled)
    if not made:
        return PChart(None, ())
    centre = sum(defective for _, defective, _ in filled) / made
    return PChart(centre, tuple(_point(at_ms, defective, n, centre) for at_ms, defective, n in filled))


def _point(at_ms: int, defective: int, n: int, centre: float) -> Point:
    lower, upper = (float(binom.ppf(tail, n, centre)) / n for tail in (TAIL, 1 - TAIL))
    share = defective / n
    return Point(at_ms, defective, n, share, max(0.0, lower), upper, not lower <= share <= upper)
