"""Losses of the two tasks, each averaged per sample so that a large defect counts once."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from linewarden_vision.network.interface import NetworkOutput, upsample_mask


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the tasks; 0 switches one off (the ablations need both)."""

    classification: float = 1.0
    mask: float = 1.0
    guide: float = 1.0
    """Of the class map supervised by the mask: without it a small network needs far longer to find thin defects."""
    pixels: float = 3.0
    """Of the pixelwise cross-entropy beside the region loss, and in the guide."""
    missed: float = 0.7
    false_alarm: float = 0.3
    centre_line: float = 0.0
    """Share of soft clDice in the region loss: it keeps thin cracks in one piece, at some cost; for GPUs."""


@dataclass(frozen=True, slots=True)
class TaskLosses:
    """The parts, weighted; their sum is what is minimised unless a balance decides otherwise."""

    classification: Tensor
    mask: Tensor
    guide: Tensor

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three weighted parts, scalars: classification, mask, guide."""
        return self.classification, self.mask, self.guide

    @property
    def total(self) -> Tensor:
        """The plain sum of the parts, a scalar."""
        return self.classification + self.mask + self.guide


def tversky_per_sample(probability: Tensor, target: Tensor, *, missed: float, false_alarm: float) -> Tensor:
    """Return 1 - Tversky index per sample (B,); an empty target with an empty prediction gives about 0."""
    axes = (1, 2)
    hit = (probability * target).sum(axes)
    wrong = missed * ((1 - probability) * target).sum(axes)
    wrong = wrong + false_alarm * (probability * (1 - target)).sum(axes)
    return 1 - (hit + 1) / (hit + wrong + 1)


def balanced_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy per sample (B,), defective pixels weighted by the root of good over defective.

    The weight is at least 1. Half way between counting pixels, where a large defect drowns all others, and
    counting both sides alike, where a small one swells: whatever its area, a sample's loss stays on the scale
    of one pixel's.
    """
    share = target.mean((1, 2), keepdim=True)
    weight = torch.where(target > 0, torch.sqrt((1 - share) / share.clamp(min=1e-6)).clamp(min=1), 1.0)
    pixelwise = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * pixelwise).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6)


def two_task_loss(
    output: NetworkOutput, defective: Tensor, mask: Tensor, annotated: Tensor, weights: LossWeights
) -> TaskLosses:
    """Return the weighted losses of both tasks.

    ``defective`` (B,) and ``mask`` (B, H, W) hold 0 or 1; samples with ``annotated`` (B,) False
    are defective without a mask: they count for classification only.
    """
    classification = functional.binary_cross_entropy_with_logits(output.margin, defective)
    logits = upsample_mask(output.mask_logits, (mask.shape[-2], mask.shape[-1])).float()
    pixelwise = balanced_cross_entropy(logits, mask)
    # The Tversky term of a good sample is dominated by its smoothing constant: BCE teaches those.
    region = defective * _region(torch.sigmoid(logits), mask, weights)
    per_sample = (weights.pixels * pixelwise + region) * annotated
    masked = per_sample.sum() / annotated.sum().clamp(min=1)
    guided = (weights.pixels * _guide(output.cells, mask) * annotated).sum() / annotated.sum().clamp(min=1)
    return TaskLosses(weights.classification * classification, weights.mask * masked, weights.guide * guided)


def _region(probability: Tensor, mask: Tensor, weights: LossWeights) -> Tensor:
    tversky = tversky_per_sample(probability, mask, missed=weights.missed, false_alarm=weights.false_alarm)
    if not weights.centre_line:
        return tversky
    return (1 - weights.centre_line) * tversky + weights.centre_line * soft_cldice(probability, mask)


def _guide(cells: Tensor, mask: Tensor) -> Tensor:
    """Return the cross-entropy per sample (B,) of cells against "any defect in this cell"."""
    target = functional.adaptive_max_pool2d(mask[:, None], (cells.shape[-2], cells.shape[-1]))[:, 0]
    return balanced_cross_entropy(cells, target)


def soft_cldice(probability: Tensor, target: Tensor, thinnings: int = 5) -> Tensor:
    """Return 1 - soft clDice per sample (B,) of probabilities and truth, (B, H, W); equal masks give about 0."""
    found, true = soft_skeleton(probability, thinnings), soft_skeleton(target, thinnings)
    axes = (1, 2)
    precision = ((found * target).sum(axes) + 1) / (found.sum(axes) + 1)
    sensitivity = ((true * probability).sum(axes) + 1) / (true.sum(axes) + 1)
    return 1 - 2 * precision * sensitivity / (precision + sensitivity)


def soft_skeleton(mask: Tensor, thinnings: int = 5) -> Tensor:
    """Return the soft centre line of masks (B, H, W) up to ``2 * thinnings`` pixels wide."""
    thin = mask
    line = functional.relu(thin - _opened(thin))
    for _ in range(thinnings):
        thin = _eroded(thin)
        rest = functional.relu(thin - _opened(thin))
        line = line + functional.relu(rest - line * rest)
    return line


def _eroded(mask: Tensor) -> Tensor:
    shrunk = -mask[:, None]
    rows = functional.max_pool2d(shrunk, (3, 1), 1, (1, 0))
    columns = functional.max_pool2d(shrunk, (1, 3), 1, (0, 1))
    return -torch.maximum(rows, columns)[:, 0]


def _opened(mask: Tensor) -> Tensor:
    return functional.max_pool2d(_eroded(mask)[:, None], 3, 1, 1)[:, 0]
