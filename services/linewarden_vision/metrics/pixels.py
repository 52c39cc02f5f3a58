"""Mask metrics at native resolution: predicted P and true G, (B, H, W) bool or lists of (H, W) bool of any sizes.

Every metric also takes counted pixels in place of both masks, which is all that it needs of a picture.
Seg_mIoU and Seg_Recall after arXiv 2510.13226, reconstructed from its abstract.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import Metric

Masks = Tensor | Sequence[Tensor]
"""(B, H, W) bool, or a list of (H, W) bool of any sizes."""


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """|P and G|, |P|, |G| and the number of pixels of each picture, (B,) int64 each."""

    both: Tensor
    predicted: Tensor
    target: Tensor
    total: Tensor

    @property
    def either(self) -> Tensor:
        """|P or G|, (B,) int64, the denominator of every IoU."""
        return self.predicted + self.target - self.both


def count_pixels(predicted: Masks | PixelCounts, target: Masks | None) -> PixelCounts:
    """Count pairs of masks (counts stay as they are); raises ValueError for unequal shapes or numbers."""
    if isinstance(predicted, PixelCounts):
        return predicted
    if target is None:
        raise ValueError("a predicted mask needs its truth; only counted pixels come alone")
    if isinstance(predicted, Tensor) and predicted.ndim != 3:
        raise ValueError(f"masks are (B, H, W) and alike, or lists of (H, W), not {tuple(predicted.shape)}")
    if len(predicted) != len(target):
        raise ValueError(f"masks are alike in number: {len(predicted)} predicted, {len(target)} true")
    rows = [_count(one, other) for one, other in zip(predicted, target, strict=True)]
    table = torch.tensor(rows, dtype=torch.long).reshape(len(rows), 4)
    return PixelCounts(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


def _count(predicted: Tensor, target: Tensor) -> tuple[int, int, int, int]:
    if predicted.shape != target.shape or predicted.ndim != 2:
        raise ValueError(f"a predicted mask and its truth are alike, not {predicted.shape} and {target.shape}")
    return int((predicted & target).sum()), int(predicted.sum()), int(target.sum()), target.numel()


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole > 0, part.double() / whole.clamp(min=1), torch.nan)


class PooledIoU(Metric):
    """Sum of TP over sum of TP + FP + FN: large defects dilute small ones."""

    both: Tensor
    either: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("both", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("either", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Masks | PixelCounts, target: Masks | None = None) -> None:
        """Add masks of shape (B, H, W), or their counts, to the pool over all pictures."""
        counts = count_pixels(predicted, target)
        self.both += counts.both.sum()
        self.either += counts.either.sum()

    def compute(self) -> Tensor:
        """Return the ratio, not a number if no pixel was ever predicted or true."""
        return _ratio(self.both, self.either)


class TwoClassPooledMeanIoU(Metric):
    """Mean of the pooled IoU of defect and of background: what the literature calls mIoU."""

    both: Tensor
    either: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("both", "either", "total"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Masks | PixelCounts, target: Masks | None = None) -> None:
        """Add masks of shape (B, H, W), or their counts, to the pools of defect and of background."""
        counts = count_pixels(predicted, target)
        self.both += counts.both.sum()
        self.either += counts.either.sum()
        self.total += counts.total.sum()

    def compute(self) -> Tensor:
        """Return the mean, not a number when a class never occurs."""
        clear = self.total - self.either
        return (_ratio(self.both, self.either) + _ratio(clear, self.total - self.both)) / 2


class _MeanPerSample(Metric):
    sum_of_values: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sum_of_values", torch.tensor(0.0, dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def _add(self, values: Tensor) -> None:
        self.sum_of_values += values.double().sum()
        self.count += values.numel()

    def compute(self) -> Tensor:
        """Return the mean, not a number without samples."""
        return _ratio(self.sum_of_values, self.count)


class SampleMeanIoU(_MeanPerSample):
    """Sample_mIoU: mean IoU over all samples; both masks empty counts 1."""

    def update(self, predicted: Masks | PixelCounts, target: Masks | None = None) -> None:
        """Add the IoU of each picture of (B, H, W); one that is empty in both counts as 1."""
        counts = count_pixels(predicted, target)
        iou = counts.both.double() / counts.either.clamp(min=1)
        self._add(torch.where(counts.either > 0, iou, 1.0))


class SegMeanIoU(_MeanPerSample):
    """Seg_mIoU: mean IoU over samples where P or G is not empty; misses and false alarms count 0."""

    def update(self, predicted: Masks | PixelCounts, target: Masks | None = None) -> None:
        """Add the IoU of each picture of (B, H, W); one that is empty in both counts not at all."""
        counts = count_pixels(predicted, target)
        self._add((counts.both.double() / counts.either.clamp(min=1))[counts.either > 0])


class SegRecall(_MeanPerSample):
    """Seg_Recall: mean over defective samples of [decided defective] * |P and G| / |G|."""

    def update(self, predicted: Masks | PixelCounts, target: Masks | None, decided: Tensor) -> None:
        """Count a batch; ``decided`` (B,) bool is the verdict NG."""
        counts = count_pixels(predicted, target)
        found = decided * counts.both.double() / counts.target.clamp(min=1)
        self._add(found[counts.target > 0])


class DefectIoUByClass(Metric):
    """Mean IoU of defective samples by class; good samples are left out."""

    sum_of_values: Tensor
    count: Tensor

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        zeros = torch.zeros(len(self.classes), dtype=torch.double)
        self.add_state("sum_of_values", zeros, dist_reduce_fx="sum")
        self.add_state("count", zeros.clone(), dist_reduce_fx="sum")

    def update(self, predicted: Masks | PixelCounts, target: Masks | None, classes: Sequence[str | None]) -> None:
        """Count a batch; ``classes`` holds None for good samples. Raises ValueError for unknown names."""
        counts = count_pixels(predicted, target)
        iou = counts.both.double() / counts.either.clamp(min=1)
        for row, name in enumerate(classes):
            if name is None:
                continue
            place = self.classes.index(name)
            self.sum_of_values[place] += iou[row]
            self.count[place] += 1

    def compute(self) -> dict[str, float]:
        """Return the mean by class, not a number for a class without evidence."""
        means = _ratio(self.sum_of_values, self.count)
        return {name: float(mean) for name, mean in zip(self.classes, means, strict=True)}
