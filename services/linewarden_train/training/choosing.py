"""Which named score becomes a bundle's suspicion: the one that caught most misses of the training groups, out of fold.

Whatever is reported later must come from other groups; on these the choice is flattered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linewarden_train.training.calibration import (
    TrustRecipe,
    defect_threshold,
    fit_trust,
    suspicion_of,
    suspicion_threshold,
    worst_of_parts,
)
from linewarden_train.training.scoring import RawScores
from linewarden_vision.card import CalibrationProvenance

TURNED_MARGIN = TrustRecipe(cheap=("margin",), second=("margin_turned",))
"""Lowering the threshold, but asking a second time, with the picture turned by half, where it is close."""
OTHERS: Mapping[str, TrustRecipe] = {
    "lowering the threshold": TrustRecipe(cheap=("margin",), second=()),
    "lowering the threshold with a turned second look": TURNED_MARGIN,
    "mask evidence": TrustRecipe(cheap=("mask_evidence",), second=()),
    "trust with a turned second look": TrustRecipe(second=("margin_turned",)),
}
NOWHERE = CalibrationProvenance(
    set_digest="0" * 64, set_name="choice", n=1, curve_point="never leaves it", date="2000-01-01"
)
"""Of a trust that is fitted to compare, and that no card will carry."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The score that won, the group-weighted recall of misses of each candidate, and how many groups had a miss."""

    name: str
    recipe: TrustRecipe
    recall: Mapping[str, float]
    missed_groups: int

    def __str__(self) -> str:
        if not self.recall:
            return f"{self.name}, as named beforehand: {self.missed_groups} groups with a miss give no choice"
        told = ", ".join(f"{name} {share:.1%}" for name, share in self.recall.items())
        return f"{self.name}, chosen out of fold by its recall of misses in {self.missed_groups} groups ({told})"


def choose(folds: Sequence[RawScores], trust: TrustRecipe, *, overkill: float, diverted: float) -> Choice:
    """Choose between trust and its rivals on out-of-fold scores of training groups, at one load of good parts.

    Each fold's misses are judged by a suspicion whose logistic the other folds fitted. With fewer than two folds,
    or misses in fewer than six groups, or a tie, trust is kept.
    """
    groups = {
        group
        for part in folds
        for group in np.asarray(part.groups)[part.defective & (part.margin <= _reject_above(part, overkill))]
    }
    if len(folds) < 2 or len(groups) < 6:  # as six discordant groups are the least for a test
        return Choice("trust", trust, {}, len(groups))
    candidates = {"trust": trust, **OTHERS}
    recall = {name: _recall(folds, recipe, overkill, diverted) for name, recipe in candidates.items()}
    best = max(recall, key=lambda name: recall[name])
    return Choice(best, candidates[best], recall, len(groups))


def _recall(folds: Sequence[RawScores], recipe: TrustRecipe, overkill: float, diverted: float) -> float:
    """Average over groups of the share of each group's misses that is diverted."""
    caught: dict[str, list[bool]] = {}
    for part in folds:
        others = [other for other in folds if other is not part]
        suspicion = suspicion_of(part, fit_trust(part, recipe, NOWHERE, others).build())
        passed = part.margin <= _reject_above(part, overkill)
        limit = suspicion_threshold(worst_of_parts(suspicion, part.groups, part.good & passed), diverted)
        for row in np.flatnonzero(part.defective & passed):
            caught.setdefault(part.groups[row], []).append(bool(suspicion[row] >= limit))
    return float(np.mean([np.mean(found) for found in caught.values()]))


def _reject_above(part: RawScores, overkill: float) -> float:
    return defect_threshold(worst_of_parts(part.margin, part.groups, part.good), overkill)
