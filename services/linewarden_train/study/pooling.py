"""Folds put together: each fold's trust and mask threshold come from the other folds alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from linewarden_train.evaluation.scored import Pixels, Scored, pool
from linewarden_train.study.arms import ArmFold
from linewarden_train.training.calibration import (
    TrustRecipe,
    defect_threshold,
    fit_trust,
    suspicion_of,
    worst_of_parts,
)
from linewarden_train.training.choosing import TURNED_MARGIN, Choice
from linewarden_train.training.masks import GRID, MaskCounts, choose_mask_point
from linewarden_train.training.scoring import RawScores, Values
from linewarden_vision.card import Provenance

_NOWHERE = Provenance(
    set_digest="0" * 64, set_name="study", n=1, curve_point="never leaves the study", date="2000-01-01"
)


def pooled(
    folds: Sequence[ArmFold],
    recipe: TrustRecipe,
    overkill: float,
    rivals: Mapping[int, Mapping[str, Values]],
    choices: Mapping[int, Choice],
) -> Scored:
    """Pool the folds of one arm with trust, ``turned``, what was chosen, every ingredient and rivals by fold number.

    The logistic of a fold is fitted on the other folds' out-of-fold scores; its normalisers see the fold's own
    good pictures, no defect. The defect threshold is the operating point that the endpoint names, per network.
    """
    return pool([_scored(fold, rest_of(folds, fold), recipe, overkill, rivals, choices) for fold in folds])


def rest_of(folds: Sequence[ArmFold], fold: ArmFold) -> list[ArmFold]:
    """Return the other folds."""
    return [other for other in folds if other is not fold]


def _scored(
    fold: ArmFold,
    others: Sequence[ArmFold],
    recipe: TrustRecipe,
    overkill: float,
    rivals: Mapping[int, Mapping[str, Values]],
    choices: Mapping[int, Choice],
) -> Scored:
    elsewhere = [other.scores for other in others]
    recipes = {"trust": recipe, "turned": TURNED_MARGIN, "chosen": choices[fold.number].recipe}
    made = {
        name: suspicion_of(fold.scores, fit_trust(fold.scores, wanted, _NOWHERE, elsewhere).build())
        for name, wanted in recipes.items()
    }
    bare = plain(fold, mask_row(elsewhere), overkill)
    return replace(bare, scores={**fold.scores.ingredients, **rivals.get(fold.number, {}), **made})


def plain(fold: ArmFold, row: int, overkill: float) -> Scored:
    """Put one fold into a record without any score: verdicts at that overkill, masks at that place of the grid."""
    scores = fold.scores
    pixels = pixels_at(scores, row)
    margins = worst_of_parts(scores.margin, scores.groups, scores.good)
    count = len(scores.labels)
    return Scored(
        names=[label.name for label in scores.labels],
        labels=list(scores.labels),
        fold=np.full(count, fold.number, np.int64),
        seed=np.zeros(count, np.int64),
        margin=scores.margin,
        reject_above=np.full(count, defect_threshold(margins, overkill)),
        scores={},
        mask_any=np.asarray(pixels.predicted > 0),
        pixels=pixels,
    )


def mask_row(parts: Sequence[RawScores]) -> int:
    """Choose the masks' place in the grid on these scores."""
    return GRID.index(choose_mask_point(MaskCounts.stack([part.masks for part in parts if part.masks]))[0])


def pixels_at(scores: RawScores, row: int) -> Pixels:
    """Return the pixels at that threshold; raises ValueError for scores without masks."""
    if scores.masks is None:
        raise ValueError("these scores hold no masks")
    known = scores.masks.annotated
    predicted = scores.masks.predicted[:, row]
    return Pixels(
        scores.masks.both[:, row],
        np.where(known, predicted, -1),
        scores.masks.target,
        np.where(known, scores.masks.total, -1),
    )
