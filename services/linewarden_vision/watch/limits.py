"""One-sided limits of a rate that was counted (Clopper and Pearson 1934)."""

from scipy.stats import beta


def upper_limit(hits: int, tries: int, delta: float) -> float:
    """Return the upper limit at confidence 1 - delta; 1 where every try hit, or nothing was tried."""
    return 1.0 if hits >= tries else float(beta.ppf(1 - delta, hits + 1, tries - hits))


def lower_limit(hits: int, tries: int, delta: float) -> float:
    """Return the lower limit at confidence 1 - delta; 0 without a hit."""
    return 0.0 if hits == 0 else float(beta.ppf(delta, hits, tries - hits + 1))
