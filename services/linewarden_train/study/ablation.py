"""What each arm of the study achieves at finding and marking defects, over the same folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from linewarden_train.evaluation.cohort import arrange
from linewarden_train.evaluation.masks import mask_figures
from linewarden_train.evaluation.results import MaskFigures
from linewarden_train.evaluation.scored import pool
from linewarden_train.study.arms import ArmFold
from linewarden_train.study.pooling import mask_row, plain
from linewarden_train.training.folder import Tasks
from linewarden_train.training.scoring import RawScores, Values

_OVERKILL = 0.01


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
        masks = mask_figures(arrange(pool([plain(fold, row, _OVERKILL) for fold in folds])))
    spread = (float(np.mean(precision)), float(min(precision)), float(max(precision)))
    pictures = sum(len(fold.held_out) for fold in folds)
    return ArmResult(tasks, len(folds), pictures, spread, float(np.mean(area)), masks)


def _ranking(scores: RawScores, tasks: Tasks) -> tuple[float, float]:
    values: Values = scores.ingredients["mask_evidence"] if tasks == "segmentation" else scores.margin
    ranked = torch.sigmoid(torch.from_numpy(values))
    truth = torch.from_numpy(scores.defective.astype(int))
    return float(binary_average_precision(ranked, truth)), float(binary_auroc(ranked, truth))
