"""The verdict in words that a person at the station can check against the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Verdict
from linewarden_vision.card import Card, CheapIngredient, EnhancedIngredient
from linewarden_vision.inspector import ViewScore
from linewarden_vision.trust.normaliser import Normaliser
from linewarden_vision.trust.registry import words_of

UNTRUSTED_STAGES: Mapping[str, str] = {
    "taught": "the bundle is only taught",
    "shadow": "the bundle is only in shadow",
}
"""Stages of a bundle in which no OK is believed, in words."""


def reasons_of(verdict: Verdict, score: ViewScore, thresholds: Thresholds, card: Card) -> tuple[str, ...]:
    """One sentence for an NG or a doubtful OK, none for an OK that is trusted."""
    if verdict is Verdict.NG:
        if score.p_defect > thresholds.defect:
            return (f"network said NG (p {score.p_defect:.2f}, limit {thresholds.defect:.2f})",)
        return (f"network said OK (p {score.p_defect:.2f}), but its mask shows a defect",)
    if card.stage in UNTRUSTED_STAGES:
        return (f"network said OK (p {score.p_defect:.2f}), but {UNTRUSTED_STAGES[card.stage]}: no OK of it counts",)
    if score.suspicion < thresholds.suspicion:
        return ()
    words = words_for(strongest(score.ingredients, card))
    return (
        (
            f"network said OK (p {score.p_defect:.2f}), but {words} "
            f"(suspicion {score.suspicion:.2f}, limit {thresholds.suspicion:.2f})"
        ),
    )


def words_for(ingredient: str, language: str = "en") -> str:
    """Say what an ingredient found; without an ingredient, that something is unusual."""
    return words_of(ingredient, language)


def strongest(ingredients: Mapping[str, float], card: Card) -> str:
    """The ingredient that adds most to suspicion: its coefficient times its rarity among good parts."""
    second = card.trust.second
    looked_twice = second is not None and all(part.name in ingredients for part in second.ingredients)
    parts: Sequence[CheapIngredient | EnhancedIngredient] = card.trust.ingredients
    coefficients = card.trust.logistic.coefficients
    if second is not None and looked_twice:
        parts, coefficients = [*parts, *second.ingredients], second.logistic.coefficients
    shares = {
        part.name: weight * _rarity(part, ingredients[part.name])
        for part, weight in zip(parts, coefficients, strict=True)
        if part.name in ingredients
    }
    return max(shares, key=lambda name: shares[name]) if shares else ""


def _rarity(part: CheapIngredient | EnhancedIngredient, value: float) -> float:
    return float(Normaliser(np.asarray(part.good))(np.asarray([value]))[0])
