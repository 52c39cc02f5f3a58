"""Calibration: normalisers and logistic from one set, thresholds from another.

A part is its group of views; its margin and its suspicion are the maxima over its views.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from linewarden_domain.resampling import Values
from linewarden_train.training.scoring import RawScores
from linewarden_vision.card import (
    CalibrationProvenance,
    CheapIngredient,
    EnhancedIngredient,
    LogisticCard,
    SecondLookCard,
    TrustCard,
)
from linewarden_vision.trust.cascade import TrustModel, normalise
from linewarden_vision.trust.registry import find
from linewarden_vision.trust.scores import TrustScore
from linewarden_vision.trust.suspicion import (
    MOST_INGREDIENTS,
    Logistic,
    Normaliser,
    fit_logistic,
    group_weights,
    sum_of_rarities,
)


@dataclass(frozen=True, slots=True)
class TrustRecipe:
    """Named beforehand, never chosen on the data reported on.

    ``second_look_share`` of good pictures get the second look.
    """

    cheap: tuple[str, ...] = ("agreement", "mask_evidence", "margin")
    second: tuple[str, ...] = ("agreement_enhanced",)
    epsilon: float = 0.15
    second_look_share: float = 0.10

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Of scores by name, those of a second look apart.

        Raises ValueError for none of one pass, more than four, one named twice or that needs a bank of good patches,
        TrustScoreError for a name that nobody registered.
        """
        scores = [find(name) for name in names]
        cheap = [score for score in scores if isinstance(score, TrustScore)]
        banked = [score.name for score in cheap if "novelty" in score.needs]
        if banked:
            raise ValueError(f"trust score {banked[0]} needs a bank of good patches, which only linewarden teach makes")
        if not cheap or len(set(names)) != len(names) or len(names) > MOST_INGREDIENTS:
            raise ValueError(f"name at most {MOST_INGREDIENTS} trust scores, each once, and one of one pass at least")
        second = [score.name for score in scores if not isinstance(score, TrustScore)]
        return cls(cheap=tuple(score.name for score in cheap), second=tuple(second))

    @property
    def names(self) -> tuple[str, ...]:
        """Those of one pass first."""
        return (*self.cheap, *self.second)


def fit_trust(
    calibrated: RawScores, recipe: TrustRecipe, provenance: CalibrationProvenance, held_out: Sequence[RawScores] = ()
) -> TrustCard:
    """Freeze normalisers on calibration's good pictures; fit the logistics on good against all defective ones.

    ``held_out`` are out-of-fold scores of the training groups: each is normalised by its own good pictures,
    since another network gave it, and the logistics are fitted on them alone. Without them calibration serves
    for both. Raises ValueError when good or defective pictures are missing or too few.
    """
    names = recipe.names
    kept = {name: frozen(calibrated.ingredients[name][calibrated.good]) for name in names}
    parts = [_evidence(scores, names) for scores in held_out or [calibrated]]
    rarities, defective = (np.concatenate([part[which] for part in parts]) for which in (0, 1))
    groups = [group for part in parts for group in part[2]]
    cheap = _logistic(rarities[:, : len(recipe.cheap)], defective, groups)
    own = [Normaliser(np.asarray(kept[name])) for name in recipe.cheap]
    suspicion = cheap(normalise(_columns(calibrated, recipe.cheap), own))
    second = None
    if recipe.second:
        second = SecondLookCard(
            ingredients=[EnhancedIngredient(name=name, good=kept[name]) for name in recipe.second],
            logistic=_card(_logistic(rarities, defective, groups)),
            epsilon=recipe.epsilon,
            gate=float(np.quantile(suspicion[calibrated.good], 1 - recipe.second_look_share)),
        )
    return TrustCard(
        ingredients=[CheapIngredient(name=name, good=kept[name]) for name in recipe.cheap],
        logistic=_card(cheap),
        second=second,
        provenance=provenance,
    )


def _logistic(rarities: Values, defective: NDArray[np.bool_], groups: list[str]) -> Logistic:
    """Fit on rarities (N, K), the truth (N,), groups (N); their plain sum where too few groups could weigh them.

    The same where the fit gives no ingredient any weight: a suspicion that never moves would catch nothing.
    """
    bad = {group for group, is_bad in zip(groups, defective, strict=True) if is_bad}
    if len(bad) < 6:  # fewer cannot weigh ingredients, as six discordant ones are the least for a test
        return sum_of_rarities(rarities.shape[1])
    fitted = fit_logistic(rarities, defective, group_weights(groups))
    return fitted if any(fitted.coefficients) else sum_of_rarities(rarities.shape[1])


def _evidence(scores: RawScores, names: Sequence[str]) -> tuple[Values, NDArray[np.bool_], list[str]]:
    """Rarities by the network's own good pictures, truth and groups; clean views of defective parts are left out."""
    used = scores.good | scores.defective
    own = [Normaliser.fit(np.asarray(frozen(scores.ingredients[name][scores.good]))) for name in names]
    rarities = normalise(_columns(scores, names), own)
    groups = [group for group, kept in zip(scores.groups, used, strict=True) if kept]
    return rarities[used], scores.defective[used], groups


def frozen(good: Values) -> list[float]:
    """Return good values as a card holds them: sorted, to six significant digits, so that it stays readable."""
    return sorted(float(f"{value:.6g}") for value in good)


def _card(logistic: Logistic) -> LogisticCard:
    return LogisticCard(intercept=logistic.intercept, coefficients=list(logistic.coefficients))


def suspicion_of(scores: RawScores, model: TrustModel) -> Values:
    """Return final suspicion (N,) as the cascade would, from raw scores that hold every ingredient."""
    rarities = normalise(_columns(scores, model.names), model.normalisers)
    suspicion = model.logistic(rarities)
    if model.second is None:
        return suspicion
    extra = normalise(_columns(scores, model.second.names), model.second.normalisers)
    second = model.second.logistic(np.concatenate([rarities, extra], axis=1))
    return np.where(suspicion < model.second.gate, suspicion, second)


def _columns(scores: RawScores, names: Sequence[str]) -> Values:
    return np.stack([scores.ingredients[name] for name in names], axis=1)


def worst_of_parts(values: Values, groups: Sequence[str], kept: NDArray[np.bool_]) -> Values:
    """Return the maximum over each part's kept views, parts in order of name."""
    names, where = np.unique(np.asarray(groups)[kept], return_inverse=True)
    worst = np.full(names.size, -np.inf)
    np.maximum.at(worst, where, values[kept])
    return worst


def defect_threshold(margins: Values, overkill: float) -> float:
    """Return the smallest threshold with at most that share of good parts (margins) above it."""
    ordered = np.sort(margins)
    allowed = int(np.floor(overkill * ordered.size))
    return float(ordered[ordered.size - 1 - allowed])


def suspicion_threshold(suspicion: Values, diverted: float) -> float:
    """Return the smallest threshold with at most that share of passed good parts at or above it."""
    ordered = np.sort(suspicion)
    allowed = int(np.floor(diverted * ordered.size))
    return float(np.nextafter(ordered[ordered.size - 1 - allowed], np.inf))
