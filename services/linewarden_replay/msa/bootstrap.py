"""Intervals that draw whole parts again: presentations of one part are no independent evidence.

B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), percentile intervals; the part is the unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2_000
Values = NDArray[np.float64]
Statistic = Callable[[Values], Values]
"""From sums over parts (M, d) to M values, not a number where it is undefined."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its two-sided 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


def estimate(by_part: Values, statistic: Statistic, seed: int) -> Estimate:
    """Estimate a statistic of the sums of (parts, d); draws in which it is undefined are left out of the interval."""
    if len(by_part) == 0:
        return Estimate(None, None, None)
    value = float(statistic(by_part.sum(axis=0, keepdims=True))[0])
    if not np.isfinite(value):
        return Estimate(None, None, None)
    count = len(by_part)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS) @ by_part
    values = statistic(drawn)
    low, high = np.quantile(values[np.isfinite(values)], (0.025, 0.975))
    return Estimate(value, float(low), float(high))
