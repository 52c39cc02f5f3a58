"""Suspicion: a logistic over at most four normalised ingredients with coefficients that are never negative."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import gamma

Values = NDArray[np.float64]
MOST_INGREDIENTS = 4


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
