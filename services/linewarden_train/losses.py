"""Losses of the two tasks, each averaged per sample so that a large defect counts once."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from linewarden_vision.network.interface import NetworkOutput, upsample_mask

_PIXEL_BALANCE = 5.0  # a defect covers about 1 % of the pixels: without it "no defect" is the first thing learnt


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the tasks; 0 switches one off (the ablations need both)."""

    classification: float = 1.0
    mask: float = 1.0
    guide: float = 1.0
    """Of the class map supervised by the mask: without it a small network needs far longer to find thin defects."""
    pixel_balance: float = _PIXEL_BALANCE
    """How much more a defective pixel counts than a good one."""
    missed: float = 0.7
    false_alarm: float = 0.3


@dataclass(frozen=True, slots=True)
class Losses:
    """The total to minimise and its detached parts."""

    total: Tensor
    classification: Tensor
    mask: Tensor


def tversky_per_sample(probability: Tensor, target: Tensor, *, missed: float, false_alarm: float) -> Tensor:
    """Return 1 - Tversky index per sample (B,); an empty target with an empty prediction gives about 0."""
    axes = (1, 2)
    hit = (probability * target).sum(axes)
    wrong = missed * ((1 - probability) * target).sum(axes)
    wrong = wrong + false_alarm * (probability * (1 - target)).sum(axes)
    return 1 - (hit + 1) / (hit + wrong + 1)


def two_task_loss(
    output: NetworkOutput, defective: Tensor, mask: Tensor, annotated: Tensor, weights: LossWeights
) -> Losses:
    """Combine both tasks.

    ``defective`` (B,) and ``mask`` (B, H, W) hold 0 or 1; samples with ``annotated`` (B,) False
    are defective without a mask: they count for classification only.
    """
    classification = functional.binary_cross_entropy_with_logits(output.margin, defective)
    logits = upsample_mask(output.mask_logits, (mask.shape[-2], mask.shape[-1])).float()
    pixelwise = functional.binary_cross_entropy_with_logits(
        logits, mask, reduction="none", pos_weight=logits.new_tensor(weights.pixel_balance)
    ).mean((1, 2))
    # The Tversky term of a good sample is dominated by its smoothing constant: BCE teaches those.
    region = defective * tversky_per_sample(
        torch.sigmoid(logits), mask, missed=weights.missed, false_alarm=weights.false_alarm
    )
    per_sample = (weights.pixel_balance * pixelwise + region) * annotated
    masked = per_sample.sum() / annotated.sum().clamp(min=1)
    guided = (_guide(output.cells, mask) * annotated).sum() / annotated.sum().clamp(min=1)
    total = weights.classification * classification + weights.mask * masked + weights.guide * guided
    return Losses(total, classification.detach(), masked.detach())


def _guide(cells: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy per sample (B,) of cells against "any defect in this cell"."""
    target = functional.adaptive_max_pool2d(mask[:, None], (cells.shape[-2], cells.shape[-1]))[:, 0]
    balance = cells.new_tensor(_PIXEL_BALANCE)
    pixelwise = functional.binary_cross_entropy_with_logits(cells, target, reduction="none", pos_weight=balance)
    return pixelwise.mean((1, 2)) * _PIXEL_BALANCE
