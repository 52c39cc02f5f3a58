"""Class-specific and class-agnostic maps of one pass, closed form: no hooks, no backward pass."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

AgnosticVariant = Literal["energy", "mean", "eigen"]
_POWER_STEPS = 8


@dataclass(frozen=True, slots=True)
class Maps:
    """defect = relu(v·F), normal = relu(-v·F), agnostic; each (B, h, w), non-negative, float32.

    No map is scaled by its own extremes: that makes blank maps look full.
    """

    defect: Tensor
    normal: Tensor
    agnostic: Tensor


def make_maps(cells: Tensor, tap: Tensor, variant: AgnosticVariant = "energy") -> Maps:
    """Build the maps from cells (B, h, w) = v·F and the tap F (B, C, h, w)."""
    return Maps(torch.relu(cells.float()), torch.relu(-cells.float()), class_agnostic(tap, variant))


def class_agnostic(tap: Tensor, variant: AgnosticVariant = "energy") -> Tensor:
    """Return where the network responds at all (B, h, w).

    energy: sum of squares over channels. mean: mean absolute value. eigen: size of the projection
    on the first right singular vector, by power iteration from the channels' mean.
    """
    features = tap.float()
    if variant == "energy":
        return features.square().sum(1)
    if variant == "mean":
        return features.abs().mean(1)
    flat = features.flatten(2)
    vector = flat.mean(2)
    for _ in range(_POWER_STEPS):
        vector = torch.einsum("bcn,bn->bc", flat, torch.einsum("bcn,bc->bn", flat, vector))
        vector = vector / vector.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.einsum("bchw,bc->bhw", features, vector).abs()
