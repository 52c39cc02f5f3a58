"""The names of ingredients, spelled out so that a card with another name does not parse.

An agreement's name is its measure, then its agnostic map (none for the energy), then ``_enhanced``
for the value after the step or ``_gain`` for what the step added.
"""

from typing import Literal

AgreementName = Literal[
    "agreement",
    "agreement_mean",
    "agreement_eigen",
    "agreement_fem",
    "agreement_soft",
    "agreement_soft_mean",
    "agreement_soft_eigen",
    "agreement_soft_fem",
    "agreement_plain_soft",
    "agreement_plain_soft_mean",
    "agreement_plain_soft_eigen",
    "agreement_plain_soft_fem",
    "normal_disagreement",
    "normal_disagreement_mean",
    "normal_disagreement_eigen",
    "normal_disagreement_fem",
]
CheapName = AgreementName | Literal["mask_evidence", "margin", "cell_peak", "novelty"]
EnhancedName = Literal[
    "agreement_enhanced",
    "agreement_gain",
    "agreement_mean_enhanced",
    "agreement_mean_gain",
    "agreement_eigen_enhanced",
    "agreement_eigen_gain",
    "agreement_fem_enhanced",
    "agreement_fem_gain",
    "agreement_soft_enhanced",
    "agreement_soft_gain",
    "agreement_soft_mean_enhanced",
    "agreement_soft_mean_gain",
    "agreement_soft_eigen_enhanced",
    "agreement_soft_eigen_gain",
    "agreement_soft_fem_enhanced",
    "agreement_soft_fem_gain",
    "agreement_plain_soft_enhanced",
    "agreement_plain_soft_gain",
    "agreement_plain_soft_mean_enhanced",
    "agreement_plain_soft_mean_gain",
    "agreement_plain_soft_eigen_enhanced",
    "agreement_plain_soft_eigen_gain",
    "agreement_plain_soft_fem_enhanced",
    "agreement_plain_soft_fem_gain",
    "normal_disagreement_enhanced",
    "normal_disagreement_gain",
    "normal_disagreement_mean_enhanced",
    "normal_disagreement_mean_gain",
    "normal_disagreement_eigen_enhanced",
    "normal_disagreement_eigen_gain",
    "normal_disagreement_fem_enhanced",
    "normal_disagreement_fem_gain",
    "margin_enhanced",
    "margin_gain",
]
SecondName = EnhancedName | Literal["margin_turned"]
"""Ingredients of a second look: after the enhancement, or of the picture turned by half."""
IngredientName = CheapName | SecondName

_SUFFIXES = ("_mean", "_eigen", "_fem")


def without_agnostic_map(name: str) -> str:
    """Return the name as if the agnostic map were the energy: what it means to a person is the same."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix).replace(f"{suffix}_", "_")
    return name
