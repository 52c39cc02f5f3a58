"""Rates with their denominators, exact intervals and one-sided limits.

C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import beta

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
        """Its fields by name, fit for JSON, the denominator's name among them."""
        return asdict(self)


def rate(name: str, count: int, of: int) -> Rate:
    """A share with its exact binomial interval.

    >>> found = rate("miss_rate_of_defects", 1, 200)
    >>> f"{found.value:.4f}, from {found.low:.4f} to {found.high:.4f}"
    '0.0050, from 0.0001 to 0.0275'

    Raises:
        ValueError: where `count` is not between 0 and `of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{name}: {count} of {of} is no share")
    if of == 0:
        return Rate(name, count, of, None, 0.0, 1.0)
    outside = (1 - CONFIDENCE) / 2
    return Rate(name, count, of, count / of, lower_limit(count, of, outside), upper_limit(count, of, outside))


def upper_limit(hits: int, tries: int, delta: float) -> float:
    """Return the upper limit at confidence 1 - delta; 1 where every try hit, or nothing was tried.

    >>> round(upper_limit(0, 300, 0.05), 4)  # no miss among 300 defects still allows for one in a hundred
    0.0099
    """
    return 1.0 if hits >= tries else float(beta.ppf(1 - delta, hits + 1, tries - hits))


def lower_limit(hits: int, tries: int, delta: float) -> float:
    """Return the lower limit at confidence 1 - delta; 0 without a hit."""
    return 0.0 if hits == 0 else float(beta.ppf(delta, hits, tries - hits + 1))
