"""The p-chart: the share of nonconforming units, one subgroup after the other, within binomial limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.stats import binom


def p_chart(subgroups: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    """Chart subgroups of (begin in epoch ms, nonconforming, made); those in which nothing was made are left out.

    `centre` is the share over all of them, None where nothing was made. `lower` and `upper` of a point are shares;
    outside them it is out of control, and a `signal`.
    """
    filled = [one for one in subgroups if one[2] > 0]
    made = sum(n for _, _, n in filled)
    centre = sum(defective for _, defective, _ in filled) / made if made else None
    points = []
    for at_ms, defective, n in filled:
        # as rare beyond each limit as beyond three standard deviations of a normal distribution
        lower, upper = (float(binom.ppf(tail, n, centre)) / n for tail in (0.00135, 1 - 0.00135))
        points.append(
            {
                "at_ms": at_ms,
                "defective": defective,
                "n": n,
                "share": defective / n,
                "lower": max(0.0, lower),
                "upper": upper,
                "signal": not lower <= defective / n <= upper,
            }
        )
    return {
        "centre": centre,
        "points": points,
        "source": "exact binomial probability limits at 0.135 % in each tail (the chance that Shewhart's three-sigma "
        "limits have for a normal distribution; NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.3.2; quantiles by "
        "scipy.stats.binom)",
    }
