"""Suspicion: how rare each ingredient is among good calibration pictures, and a logistic over at most four of them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import gamma

from linewarden_domain.resampling import Values

MOST_INGREDIENTS = 4
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
        knee = float(np.quantile(self.good, 0.95))
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


@dataclass(frozen=True, slots=True)
class Logistic:
    """u = 1 / (1 + exp(-(intercept + coefficients · e))), in [0, 1]; rises with every ingredient."""

    intercept: float
    coefficients: tuple[float, ...]

    def __call__(self, rarities: Values) -> Values:
        """Return suspicion (B,) of rarities (B, K); an infinite rarity gives 1."""
        weights = np.asarray(self.coefficients)
        used = np.where(weights > 0, rarities, 0.0)  # 0 * inf is not a number; an unused column says nothing
        suspicion = expit(self.intercept + used @ weights)
        return np.where(np.isnan(rarities).any(axis=1), 1.0, suspicion)


def fit_logistic(rarities: Values, defective: NDArray[np.bool_], weights: Values, *, l2: float = 1e-3) -> Logistic:
    """Fit on rarities (N, K), K <= 4, with one weight per picture (equal within groups' totals).

    Good and defective pictures each count one half; L2 acts on the coefficients alone. Raises
    ValueError for more than four ingredients, a missing side or rarities that are not finite.
    """
    if rarities.ndim != 2 or not 1 <= rarities.shape[1] <= MOST_INGREDIENTS:
        raise ValueError(f"between 1 and {MOST_INGREDIENTS} ingredients, got shape {rarities.shape}")
    if not defective.any() or defective.all() or not np.isfinite(rarities).all():
        raise ValueError("the logistic needs finite rarities of good and of defective pictures")
    sides = np.where(defective, weights / weights[defective].sum(), weights / weights[~defective].sum()) / 2
    signs = np.where(defective, 1.0, -1.0)

    def loss(parameters: Values) -> tuple[float, Values]:
        margins = signs * (parameters[0] + rarities @ parameters[1:])
        pull = -sides * signs * expit(-margins)
        gradient = np.concatenate([[pull.sum()], rarities.T @ pull + 2 * l2 * parameters[1:]])
        value = float(sides @ np.logaddexp(0, -margins) + l2 * parameters[1:] @ parameters[1:])
        return value, gradient

    count = rarities.shape[1]
    start = np.concatenate([[-1.0], np.full(count, 0.5)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * count)
    return Logistic(float(found.x[0]), tuple(float(value) for value in found.x[1:]))


def sum_of_rarities(count: int) -> Logistic:
    """Return the fallback where no defective picture is there to fit on: u rises with the plain sum of e.

    u = 0.5 where the sum reaches what 5 % of good parts would reach, were their ingredients independent.
    Raises ValueError for more than four ingredients or none.
    """
    if not 1 <= count <= MOST_INGREDIENTS:
        raise ValueError(f"between 1 and {MOST_INGREDIENTS} ingredients, got {count}")
    return Logistic(-float(gamma.ppf(0.95, count)), (1.0,) * count)


def group_weights(groups: list[str]) -> Values:
    """Return one weight per picture so that every group counts once."""
    names, where, counts = np.unique(groups, return_inverse=True, return_counts=True)
    del names
    return np.asarray(1.0 / counts[where], np.float64)
