"""Intervals that draw whole units again: presentations of one part, or near-duplicates, are no independent evidence.

B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), percentile intervals.
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


def multiplicities(count: int, draws: int, rng: np.random.Generator) -> Values:
    """How often each of `count` units is drawn, (draws, count), each draw of as many as there are."""
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)


def percentiles(drawn: Values, confidence: float) -> tuple[float, float] | None:
    """The percentile interval; draws that hold no evidence are left out, all of them: None."""
    usable = drawn[np.isfinite(drawn)]
    if not usable.size:
        return None
    low, high = np.quantile(usable, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def estimate(by_part: Values, statistic: Statistic, seed: int) -> Estimate:
    """Estimate a statistic of the sums of (parts, d); draws in which it is undefined are left out of the interval.

    >>> misses_and_views = np.array([[0.0, 2.0], [1.0, 2.0], [0.0, 2.0], [1.0, 2.0]])  # a row a part
    >>> found = estimate(misses_and_views, lambda sums: sums[:, 0] / sums[:, 1], seed=1)
    >>> found.value, found.low, found.high
    (0.25, 0.0, 0.5)
    """
    if len(by_part) == 0:
        return Estimate(None, None, None)
    value = float(statistic(by_part.sum(axis=0, keepdims=True))[0])
    if not np.isfinite(value):
        return Estimate(None, None, None)
    values = statistic(multiplicities(len(by_part), DRAWS, np.random.default_rng(seed)) @ by_part)
    low, high = percentiles(values, 0.95) or (None, None)
    return Estimate(value, low, high)
