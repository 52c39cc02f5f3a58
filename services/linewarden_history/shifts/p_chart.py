"""The p-chart: the share of nonconforming units, one subgroup after the other, within binomial limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import binom


@dataclass(frozen=True, slots=True)
class Subgroup:
    """One point of the chart, which begins at `at_ms`. `lower` and `upper` are shares; outside is out of control."""

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
    points: tuple[Subgroup, ...]

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values for a document, and where the limits come from."""
        return asdict(self) | {
            "source": "exact binomial probability limits at 0.135 % in each tail (the chance that Shewhart's "
            "three-sigma limits have for a normal distribution; NIST/SEMATECH e-Handbook of Statistical Methods, "
            "6.3.3.2; quantiles by scipy.stats.binom)"
        }


def p_chart(subgroups: Sequence[tuple[int, int, int]]) -> PChart:
    """Chart subgroups of (begin in epoch ms, nonconforming, made); those in which nothing was made are left out."""
    filled = [one for one in subgroups if one[2] > 0]
    made = sum(n for _, _, n in filled)
    if not made:
        return PChart(None, ())
    centre = sum(defective for _, defective, _ in filled) / made
    points = []
    for at_ms, defective, n in filled:
        # as rare beyond each limit as beyond three standard deviations of a normal distribution
        lower, upper = (float(binom.ppf(tail, n, centre)) / n for tail in (0.00135, 1 - 0.00135))
        share = defective / n
        points.append(Subgroup(at_ms, defective, n, share, max(0.0, lower), upper, not lower <= share <= upper))
    return PChart(centre, tuple(points))
