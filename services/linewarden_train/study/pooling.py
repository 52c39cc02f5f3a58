"""Folds put together: each fold's trust and mask threshold come from the other folds alone; what each arm achieves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from linewarden_domain.resampling import Values
from linewarden_train.evaluation.cohort import arrange
from linewarden_train.evaluation.masks import mask_figures
from linewarden_train.evaluation.results import MaskFigures
from linewarden_train.evaluation.scored import Pixels, ScoredSet, pool
from linewarden_train.study.arms import ArmFold
from linewarden_train.training.calibration import (
    TrustRecipe,
    defect_threshold,
    fit_trust,
    suspicion_of,
    worst_of_parts,
)
from linewarden_train.training.choosing import NOWHERE, TURNED_MARGIN, Choice
from linewarden_train.training.folder import Tasks
from linewarden_train.training.masks import GRID, MaskCounts, choose_mask_point
from linewarden_train.training.scoring import RawScores


def pooled(
    folds: Sequence[ArmFold],
    recipe: TrustRecipe,
    overkill: float,
    rivals: Mapping[int, Mapping[str, Values]],
    choices: Mapping[int, Choice],
) -> ScoredSet:
    """Pool the folds of one arm with trust, ``turned``, what was chosen, every ingredient and rivals by fold number.

    The logistic of a fold is fitted on the other folds' out-of-fold scores; its normalisers see the fold's own
    good pictures, no defect. The defect threshold is the operating point that the endpoint names, per network.
    """
    parts = []
    for fold in folds:
        elsewhere = [other.scores for other in folds if other is not fold]
        recipes = {"trust": recipe, "turned": TURNED_MARGIN, "chosen": choices[fold.number].recipe}
        made = {
            name: suspicion_of(fold.scores, fit_trust(fold.scores, wanted, NOWHERE, elsewhere).build())
            for name, wanted in recipes.items()
        }
        bare = plain(fold, mask_row(elsewhere), overkill)
        parts.append(replace(bare, scores={**fold.scores.ingredients, **rivals.get(fold.number, {}), **made}))
    return pool(parts)


def plain(fold: ArmFold, row: int, overkill: float) -> ScoredSet:
    """Put one fold into a record without any score: verdicts at that overkill, masks at that place of the grid.

    Raises ValueError for scores without masks.
    """
    scores = fold.scores
    if scores.masks is None:
        raise ValueError("these scores hold no masks")
    known = scores.masks.annotated
    pixels = Pixels(
        scores.masks.both[:, row],
        np.where(known, scores.masks.predicted[:, row], -1),
        scores.masks.target,
        np.where(known, scores.masks.total, -1),
    )
    margins = worst_of_parts(scores.margin, scores.groups, scores.good)
    count = len(scores.labels)
    return ScoredSet(
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


@dataclass(frozen=True, slots=True)
class ArmResult:
    """Image AP and AUROC, the mean over folds with the lowest and highest; masks pooled over folds.

    An arm that was taught no classification ranks pictures by its mask evidence, one without masks has none.
    """

    tasks: Tasks
    folds: int
    pictures: int
    image_ap: tuple[float, float, float]
    image_auroc: float
    masks: MaskFigures | None


def arm_result(folds: Sequence[ArmFold]) -> ArmResult:
    """Measure one arm, its masks at the threshold that suits these pictures best."""
    tasks = folds[0].tasks
    precision, area = zip(*(_ranking(fold.scores, tasks) for fold in folds), strict=True)
    masks = None
    row = mask_row([fold.scores for fold in folds])
    if tasks != "classification":
        masks = mask_figures(arrange(pool([plain(fold, row, 0.01) for fold in folds])))
    spread = (float(np.mean(precision)), float(min(precision)), float(max(precision)))
    pictures = sum(len(fold.held_out) for fold in folds)
    return ArmResult(tasks, len(folds), pictures, spread, float(np.mean(area)), masks)


def _ranking(scores: RawScores, tasks: Tasks) -> tuple[float, float]:
    values: Values = scores.ingredients["mask_evidence"] if tasks == "segmentation" else scores.margin
    ranked = torch.sigmoid(torch.from_numpy(values))
    truth = torch.from_numpy(scores.defective.astype(int))
    return float(binary_average_precision(ranked, truth)), float(binary_auroc(ranked, truth))
