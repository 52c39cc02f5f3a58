"""Rates with their denominators and exact intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import binomtest

CONFIDENCE = 0.95
INTERVAL = "Clopper-Pearson (1934), two-sided, 95 %"


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `of`; the name says of what. Without a denominator there is no value, and no evidence: 0 to 1."""

    name: str
    count: int
    of: int
    value: float | None
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """For documents."""
        return asdict(self)


def rate(name: str, count: int, of: int) -> Rate:
    """A share with its exact binomial interval (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934).

    Raises:
        ValueError: where `count` is not between 0 and `of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{name}: {count} of {of} is no share")
    if of == 0:
        return Rate(name, count, of, None, 0.0, 1.0)
    interval = binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return Rate(name, count, of, count / of, float(interval.low), float(interval.high))
