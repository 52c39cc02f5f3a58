"""Pixels of predicted and true masks counted per picture: enough for every mask metric, whatever the sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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
        """Pixels in the prediction or in the truth, |P or G|, of shape (B,)."""
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
