"""Ingredients on a common scale: how rare a value is among good calibration pictures."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_TAIL = 0.95
FEWEST_GOOD = 10
"""Good values that a scale needs; what so few promise is said by its provenance, and a promotion asks for more."""


@dataclass(frozen=True, slots=True)
class Normaliser:
    """e(x) = -log((1 + #{good >= x}) / (n + 1)), with an exponential tail above the 95th percentile.

    ``good`` is sorted. Non-decreasing in x; a value that is not a number is infinitely rare.
    """

    good: Values
    tail: tuple[float, float] = field(init=False, compare=False)
    """Where the exponential tail begins, and its scale; worked out once, since every batch asks."""

    def __post_init__(self) -> None:
        knee = float(np.quantile(self.good, _TAIL))
        object.__setattr__(self, "tail", (knee, self._tail_scale(knee)))

    @classmethod
    def fit(cls, good: Values) -> "Normaliser":
        """Freeze the good values; raises ValueError for fewer than 10 or any that is not finite."""
        if good.size < FEWEST_GOOD or not np.isfinite(good).all():
            raise ValueError(f"a normaliser needs at least {FEWEST_GOOD} finite good values, got {good.size}")
        return cls(np.sort(np.asarray(good, np.float64)))

    def __call__(self, values: Values) -> Values:
        """Return the rarity of each value in nats, same shape."""
        knee, scale = self.tail
        body = self._rarity(np.minimum(values, knee))
        tail = np.maximum(values - knee, 0) / scale
        return np.where(np.isnan(values), np.inf, body + tail)

    def _rarity(self, values: Values) -> Values:
        at_least = self.good.size - np.searchsorted(self.good, values, side="left")
        return np.asarray(-np.log((1 + at_least) / (self.good.size + 1)), np.float64)

    def _tail_scale(self, knee: float) -> float:
        """Mean excess above the knee; never 0, so that ties at the top stay finite."""
        excess = self.good[self.good > knee] - knee
        spread = float(self.good[-1] - self.good[0])
        return max(float(excess.mean()) if excess.size else 0.0, 1e-3 * spread, 1e-9)
