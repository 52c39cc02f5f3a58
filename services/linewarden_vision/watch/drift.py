"""Drift: whether ingredients of parts that pass still look like those of the good parts that the bundle was set on.

For each ingredient and window: the population stability index over tenths of the reference (its size does not grow
with the number of parts) and the two-sample Kolmogorov-Smirnov test. An alarm needs both: a shift that is large
(PSI .25 or more, the trade's limit) and one that chance does not explain (Holm's correction over all ingredients and
windows). Parts of one lot resemble each other, which the test does not know: the size of the shift has the last word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from linewarden_domain.resampling import Values


@dataclass(frozen=True, slots=True)
class IngredientShift:
    """One ingredient in one window; ``p_value`` is corrected for all that were looked at."""

    window: int
    name: str
    count: int
    psi: float
    p_value: float
    level: str
    """steady, watch or alarm."""


@dataclass(frozen=True, slots=True)
class Drift:
    """All shifts in order of window and name; parts of a last window that was too short are counted."""

    shifts: tuple[IngredientShift, ...]
    left_over: int

    @property
    def alarms(self) -> tuple[IngredientShift, ...]:
        """Shifts that are large and not chance."""
        return tuple(shift for shift in self.shifts if shift.level == "alarm")


def find_drift(
    reference: Mapping[str, Values], seen: Mapping[str, Values], *, window: int, delta: float = 0.01
) -> Drift:
    """Compare windows of so many parts, in order of time, with frozen good values by ingredient.

    Values that are not finite are left out: an ingredient of the second look exists only where it ran, so give it
    no reference. Raises ValueError without a common ingredient and for a window that is too short.
    """
    names = sorted(set(reference) & set(seen))
    if not names:
        raise ValueError("the results hold no ingredient that the bundle has good values of")
    if window < 50:
        raise ValueError(f"a window of {window} parts says nothing; take 50 or more")
    total = max(seen[name].size for name in names)
    found = []
    for place in range(total // window):
        for name in names:
            part = seen[name][place * window : (place + 1) * window]
            part = part[np.isfinite(part)]
            if part.size >= 50:
                found.append((place, name, part))
    raw = [float(ks_2samp(reference[name], part).pvalue) for _, name, part in found]
    shifts = []
    for (place, name, part), p_value in zip(found, holm(raw), strict=True):
        psi, level = stability_index(reference[name], part), "steady"
        if p_value <= delta and psi >= 0.10:
            level = "alarm" if psi >= 0.25 else "watch"
        shifts.append(IngredientShift(place, name, int(part.size), psi, p_value, level))
    return Drift(tuple(shifts), total % window)


def stability_index(reference: Values, seen: Values) -> float:
    """Return the PSI over tenths of the reference; a cell that holds nothing counts as half a value."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, 11)[1:-1]))
    expected = _shares(reference, edges)
    actual = _shares(seen, edges)
    return float(((actual - expected) * np.log(actual / expected)).sum())


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being many, in their order (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return [float(value) for value in corrected]


def _shares(values: Values, edges: Values) -> Values:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1)
    filled = np.maximum(counts, 0.5)
    return np.asarray(filled / filled.sum(), np.float64)
