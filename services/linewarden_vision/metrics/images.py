"""Picture-level metrics: ranking by torchmetrics, and rates at the recipe's threshold."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision

ImageAveragePrecision = BinaryAveragePrecision
"""Area under precision and recall of the margin."""
ImageAUROC = BinaryAUROC
"""Area under the receiver operating characteristic of the margin."""


class _Rate(Metric):
    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def _add(self, chosen: Tensor) -> None:
        self.hits += chosen.sum()
        self.count += chosen.numel()

    def compute(self) -> Tensor:
        """Return the rate, not a number without evidence."""
        return torch.where(self.count > 0, self.hits.double() / self.count.clamp(min=1), torch.nan)


class MissRateOfDefects(_Rate):
    """Share of defective pictures with the verdict OK."""

    def update(self, decided: Tensor, defective: Tensor) -> None:
        """Count verdicts NG (B,) bool against the truth (B,) bool."""
        self._add(~decided[defective])


class OverkillRateOfGood(_Rate):
    """Share of good pictures with the verdict NG."""

    def update(self, decided: Tensor, defective: Tensor) -> None:
        """Count verdicts NG (B,) bool against the truth (B,) bool."""
        self._add(decided[~defective])
