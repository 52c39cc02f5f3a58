"""What each arm of the study achieves at finding and marking defects, over the same folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from linewarden_train.calibration import TrustRecipe
from linewarden_train.evaluation.cohort import arrange
from linewarden_train.evaluation.masks import mask_figures
from linewarden_train.evaluation.results import MaskFigures
from linewarden_train.scoring import RawScores, Values
from linewarden_train.study.arms import ArmFold
from linewarden_train.study.pooling import pooled
from linewarden_train.training import Tasks


@dataclass(frozen=True, slots=True)
class ArmResult:
    """Image AP and AUROC, the mean over folds with the lowest and highest; masks pooled over folds.

    An arm that was taught no classification ranks pictures by its mask evidence, one without masks has none.
    """

    tasks: Tasks
    image_ap: tuple[float, float, float]
    image_auroc: float
    masks: MaskFigures | None


def arm_result(folds: Sequence[ArmFold], recipe: TrustRecipe, overkill: float) -> ArmResult:
    """Measure one arm."""
    tasks = folds[0].tasks
    precision, area = zip(*(_ranking(fold.scores, tasks) for fold in folds), strict=True)
    masks = None
    if tasks != "classification":
        masks = mask_figures(arrange(pooled(folds, recipe, overkill, {})))
    spread = (float(np.mean(precision)), float(min(precision)), float(max(precision)))
    return ArmResult(tasks, spread, float(np.mean(area)), masks)


def _ranking(scores: RawScores, tasks: Tasks) -> tuple[float, float]:
    values: Values = scores.ingredients["mask_evidence"] if tasks == "segmentation" else scores.margin
    ranked = torch.sigmoid(torch.from_numpy(values))
    truth = torch.from_numpy(scores.defective.astype(int))
    return float(binary_average_precision(ranked, truth)), float(binary_auroc(ranked, truth))
