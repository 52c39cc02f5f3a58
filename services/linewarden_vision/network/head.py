"""The sample head: linear on the tap, so its class activation map is closed form."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Classification:
    """cells = v·F (B, h, w) without bias; margin = logit_defect - logit_normal (B,)."""

    cells: Tensor
    margin: Tensor


class LinearHead(nn.Module):
    """v = w_defect - w_normal on every cell; only this difference of two classes is identifiable."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(channels) / math.sqrt(channels))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, tap: Tensor) -> Classification:
        """Pool half the mean and half the mean of the top 2 % of cells, in float32 under any autocast."""
        with torch.autocast(tap.device.type, enabled=False):
            cells = torch.einsum("bchw,c->bhw", tap.float(), self.direction.float())
            flat = cells.flatten(1)
            peak = flat.topk(_peak_count(flat), dim=1).values
            margin = 0.5 * flat.mean(1) + 0.5 * peak.mean(1) + self.bias.float()
        return Classification(cells, margin)

    def slope(self, cells: Tensor) -> Tensor:
        """Return the margin's slope at the tap (B, C, h, w), float32, where the cells are (B, h, w)."""
        flat = cells.float().flatten(1)
        peak = flat.topk(_peak_count(flat), dim=1).indices
        weights = torch.full_like(flat, 0.5 / flat.shape[1]).scatter_add_(
            1, peak, torch.full_like(peak, 0.5 / peak.shape[1], dtype=flat.dtype)
        )
        return weights.view_as(cells)[:, None] * self.direction.float()[:, None, None]


def _peak_count(flat: Tensor) -> int:
    return max(1, math.ceil(0.02 * flat.shape[1]))
