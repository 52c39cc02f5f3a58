"""The verdict in words that a person at the station can check against the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from linewarden_domain.words import LANGUAGES, Said, said
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Verdict
from linewarden_vision.card import Card, CheapIngredient, EnhancedIngredient
from linewarden_vision.inspector import ViewScore
from linewarden_vision.standing import OkDoubt
from linewarden_vision.trust.registry import words_of
from linewarden_vision.trust.suspicion import Normaliser

_TOLD = 3
"""Defects whose figures are told as reasons; the inspection has all of them."""


def reasons_of(
    verdict: Verdict, score: ViewScore, thresholds: Thresholds, card: Card, doubt: OkDoubt | None
) -> tuple[Said, ...]:
    """One reason for an NG or a doubtful OK, none for an OK that is trusted."""
    p = score.p_defect
    if verdict is Verdict.NG:
        if p > thresholds.defect:
            return (said("network_ng", p=p, limit=thresholds.defect),)
        return (said("network_mask", p=p),)
    if doubt is not None:
        return (said(doubt.code, p=p, **doubt.facts),)
    if score.suspicion < thresholds.suspicion:
        return ()
    return (doubted(p, score.suspicion, thresholds.suspicion, strongest(score.ingredients, card)),)


def by_weight(defects: Sequence[MeasuredDefect]) -> list[MeasuredDefect]:
    """Those that are judged by criteria, beyond their limits first, then by length."""
    return sorted((one for one in defects if not one.is_ignored), key=lambda one: (one.is_within, -one.length_mm))


def reasons_of_defects(told: Sequence[MeasuredDefect]) -> tuple[Said, ...]:
    """The figures of the first defects."""
    return tuple(
        said(
            "defect_within" if one.is_within else "defect_beyond",
            length=one.length_mm,
            error=one.length_error_mm,
            area=one.area_mm2,
            area_error=one.area_error_mm2,
            zone=", ".join(one.zones) or "-",
            **_kind(one),
        )
        for one in told[:_TOLD]
    )


def _kind(defect: MeasuredDefect) -> dict[str, str | float]:
    if defect.class_probability is None:
        return {"kind": "plain"}
    if defect.defect_class is None:
        return {"kind": "unknown", "chance": defect.class_probability}
    return {"kind": "told", "class": defect.defect_class, "chance": defect.class_probability}


def doubted(p: float, suspicion: float, limit: float, ingredient: str) -> Said:
    """Why an OK is doubted; the reason carries what the ingredient found in every language, for readers without it."""
    found = {f"found_{language}": words_of(ingredient, language) for language in LANGUAGES}
    shown = {"ingredient": words_of(ingredient)}
    named = {"ingredient": ingredient or "unusual", **found}
    return said("network_doubted", shown, p=p, suspicion=suspicion, limit=limit, **named)


def strongest(ingredients: Mapping[str, float], card: Card) -> str:
    """The ingredient that adds most to suspicion: its coefficient times its rarity among good parts."""
    second = card.trust.second
    looked_twice = second is not None and all(part.name in ingredients for part in second.ingredients)
    parts: Sequence[CheapIngredient | EnhancedIngredient] = card.trust.ingredients
    coefficients = card.trust.logistic.coefficients
    if second is not None and looked_twice:
        parts, coefficients = [*parts, *second.ingredients], second.logistic.coefficients
    shares = {
        part.name: weight * float(Normaliser(np.asarray(part.good))(np.asarray([ingredients[part.name]]))[0])
        for part, weight in zip(parts, coefficients, strict=True)
        if part.name in ingredients
    }
    return max(shares, key=lambda name: shares[name]) if shares else ""
