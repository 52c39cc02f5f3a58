"""The verdict in words that a person at the station can check against the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from linewarden_domain.words import Said, said
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Verdict
from linewarden_vision.card import Card, CheapIngredient, EnhancedIngredient
from linewarden_vision.inspector import ViewScore
from linewarden_vision.trust.names import without_agnostic_map
from linewarden_vision.trust.normaliser import Normaliser

_WORDS: Mapping[str, str] = {
    "agreement": "its evidence for a defect lies where it responds most",
    "agreement_soft": "its evidence for a defect overlaps with where it responds",
    "agreement_plain_soft": "its evidence for a defect is strong where it responds",
    "normal_disagreement": "its evidence for a good part lies elsewhere than where it responds",
    "mask_evidence": "its mask shows a faint defect",
    "novelty": "something looks unlike every good part it was shown",
    "margin": "it was less sure than with good parts",
    "cell_peak": "one spot looked defective",
    "agreement_enhanced": "the evidence for a defect stood out once it was enhanced",
    "agreement_gain": "the evidence for a defect grew when it was enhanced",
    "agreement_soft_enhanced": "the evidence for a defect spread over where it responds once it was enhanced",
    "agreement_soft_gain": "the evidence for a defect spread when it was enhanced",
    "agreement_plain_soft_enhanced": "the evidence for a defect was strong once it was enhanced",
    "agreement_plain_soft_gain": "the evidence for a defect became stronger when it was enhanced",
    "normal_disagreement_enhanced": "once enhanced, the evidence for a good part lay elsewhere than where it responds",
    "normal_disagreement_gain": "the evidence for a good part moved away from where it responds when it was enhanced",
    "margin_enhanced": "a small push was enough to make it doubt",
    "margin_gain": "a small push moved it farther than it moves good parts",
    "margin_turned": "it was less sure of the picture and its half turn together than with good parts",
}
"""By ingredient; the agnostic map that an agreement is measured against changes nothing for a person."""
UNTRUSTED_STAGES: Mapping[str, str] = {"taught": "network_taught", "shadow": "network_shadow"}
"""Stages of a bundle in which no OK is believed, with the code of the reason."""


def reasons_of(verdict: Verdict, score: ViewScore, thresholds: Thresholds, card: Card) -> tuple[Said, ...]:
    """One reason for an NG or a doubtful OK, none for an OK that is trusted."""
    p = score.p_defect
    if verdict is Verdict.NG:
        if p > thresholds.defect:
            return (said("network_ng", p=p, limit=thresholds.defect),)
        return (said("network_mask", p=p),)
    if card.stage in UNTRUSTED_STAGES:
        return (said(UNTRUSTED_STAGES[card.stage], p=p),)
    if score.suspicion < thresholds.suspicion:
        return ()
    return (doubted(p, score.suspicion, thresholds.suspicion, strongest(score.ingredients, card)),)


def doubted(p: float, suspicion: float, limit: float, ingredient: str) -> Said:
    """Why an OK is doubted; the ingredient is named without its agnostic map, `unusual` where there is none."""
    name = without_agnostic_map(ingredient) or "unusual"
    words = {"ingredient": words_for(ingredient)}
    return said("network_doubted", words, p=p, ingredient=name, suspicion=suspicion, limit=limit)


def words_for(ingredient: str) -> str:
    """Say what an ingredient found; without an ingredient, that something is unusual."""
    return _WORDS.get(without_agnostic_map(ingredient), "its evidence is unusual for a good part")


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
