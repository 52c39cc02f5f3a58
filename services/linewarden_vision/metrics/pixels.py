"""Mask metrics at native resolution: predicted P and true G, (B, H, W) bool, updated by equal-sized batches.

Seg_mIoU and Seg_Recall after arXiv 2510.13226, reconstructed from its abstract.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


def overlap_counts(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return |P and G| and |P or G| per sample, (B,) int64; raises ValueError for unequal shapes."""
    if predicted.shape != target.shape or predicted.ndim != 3:
        raise ValueError(f"masks are (B, H, W) and alike, not {predicted.shape} and {target.shape}")
    return (predicted & target).sum((1, 2)), (predicted | target).sum((1, 2))


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

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Count a batch."""
        both, either = overlap_counts(predicted, target)
        self.both += both.sum()
        self.either += either.sum()

    def compute(self) -> Tensor:
        """Return the ratio, not a number if no pixel was ever predicted or true."""
        return _ratio(self.both, self.either)


class TwoClassPooledMeanIoU(Metric):
    """Mean of the pooled IoU of defect and of background: what the literature calls mIoU."""

    cells: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("cells", torch.zeros(4, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Count a batch."""
        overlap_counts(predicted, target)
        self.cells += torch.bincount((2 * target.long() + predicted.long()).flatten(), minlength=4)

    def compute(self) -> Tensor:
        """Return the mean, not a number when a class never occurs."""
        clear, alarm, miss, hit = self.cells
        return (_ratio(hit, hit + alarm + miss) + _ratio(clear, clear + alarm + miss)) / 2


class _MeanPerSample(Metric):
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def _add(self, values: Tensor) -> None:
        self.total += values.double().sum()
        self.count += values.numel()

    def compute(self) -> Tensor:
        """Return the mean, not a number without samples."""
        return _ratio(self.total, self.count)


class SampleMeanIoU(_MeanPerSample):
    """Sample_mIoU: mean IoU over all samples; both masks empty counts 1."""

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Count a batch."""
        both, either = overlap_counts(predicted, target)
        self._add(torch.where(either > 0, both / either.clamp(min=1), 1.0))


class SegMeanIoU(_MeanPerSample):
    """Seg_mIoU: mean IoU over samples where P or G is not empty; misses and false alarms count 0."""

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Count a batch."""
        both, either = overlap_counts(predicted, target)
        self._add((both / either.clamp(min=1))[either > 0])


class SegRecall(_MeanPerSample):
    """Seg_Recall: mean over defective samples of [decided defective] * |P and G| / |G|."""

    def update(self, predicted: Tensor, target: Tensor, decided: Tensor) -> None:
        """Count a batch; ``decided`` (B,) bool is the verdict NG."""
        both, _ = overlap_counts(predicted, target)
        area = target.sum((1, 2))
        self._add((decided * both / area.clamp(min=1))[area > 0])


class DefectIoUByClass(Metric):
    """Mean IoU of defective samples by class; good samples are left out."""

    total: Tensor
    count: Tensor

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        zeros = torch.zeros(len(self.classes), dtype=torch.double)
        self.add_state("total", zeros, dist_reduce_fx="sum")
        self.add_state("count", zeros.clone(), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor, classes: Sequence[str | None]) -> None:
        """Count a batch; ``classes`` holds None for good samples. Raises ValueError for unknown names."""
        both, either = overlap_counts(predicted, target)
        for row, name in enumerate(classes):
            if name is None:
                continue
            place = self.classes.index(name)
            self.total[place] += both[row] / either[row].clamp(min=1)
            self.count[place] += 1

    def compute(self) -> dict[str, float]:
        """Return the mean by class, not a number for a class without evidence."""
        means = _ratio(self.total, self.count)
        return {name: float(mean) for name, mean in zip(self.classes, means, strict=True)}
