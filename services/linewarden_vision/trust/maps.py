"""Class-specific and class-agnostic maps of one pass, closed form: no hooks, no backward pass."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

AgnosticVariant = Literal["energy", "mean", "eigen", "fem"]


@dataclass(frozen=True, slots=True)
class ActivationMaps:
    """defect = relu(v·F), normal = relu(-v·F), agnostic; each (B, h, w), non-negative, float32.

    No map is scaled by its own extremes: that makes blank maps look full.
    """

    defect: Tensor
    normal: Tensor
    agnostic: Tensor
    _others: dict[AgnosticVariant, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def against(self, variant: AgnosticVariant, tap: Tensor) -> "ActivationMaps":
        """Return those of the energy beside another agnostic map of the same tap, which is made once."""
        if variant == "energy":
            return self
        if variant not in self._others:
            self._others[variant] = class_agnostic(tap, variant)
        return ActivationMaps(self.defect, self.normal, self._others[variant])


def make_maps(cells: Tensor, tap: Tensor, variant: AgnosticVariant = "energy") -> ActivationMaps:
    """Build the maps from cells (B, h, w) = v·F without bias and the tap F (B, C, h, w).

    The closed form of class activation mapping for a linear head (Zhou et al. 2016, arXiv 1512.04150).
    """
    return ActivationMaps(torch.relu(cells.float()), torch.relu(-cells.float()), class_agnostic(tap, variant))


def class_agnostic(tap: Tensor, variant: AgnosticVariant = "energy") -> Tensor:
    """Return where the network responds at all (B, h, w), float32 under any autocast.

    energy: sum of squares over channels, the reference. mean: mean absolute value. eigen: size of the
    projection on the first principal direction (Muhammad and Yeasin 2020, arXiv 2008.00299), not
    centred. fem: channels weighted by their share of cells above mean + 2 deviations (Fuad et al. 2020).
    """
    with torch.autocast(tap.device.type, enabled=False):
        features = tap.float()
        match variant:
            case "energy":
                return features.square().sum(1)
            case "mean":
                return features.abs().mean(1)
            case "eigen":
                return _eigen(features)
            case "fem":
                return _fem(features)


def _eigen(features: Tensor) -> Tensor:
    """Power iteration of 2^8 steps, by squaring the channels' Gram matrix; needs no starting vector."""
    flat = features.flatten(2)
    power = flat @ flat.mT
    for _ in range(8):
        power = power / power.abs().amax((1, 2), keepdim=True).clamp(min=1e-30)
        power = power @ power
    # every column is now the direction, scaled; the longest one is the most exact
    longest = power.norm(dim=1).argmax(1)
    direction = torch.take_along_dim(power, longest[:, None, None], 2)
    direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-30)
    projected: Tensor = direction.mT @ flat
    return projected.abs().view(features.shape[0], *features.shape[2:])


def _fem(features: Tensor) -> Tensor:
    deviation, mean = torch.std_mean(features, dim=(2, 3), correction=0, keepdim=True)
    weights = (features > mean + 2.0 * deviation).float().mean((2, 3), keepdim=True)
    return torch.relu((weights * features).sum(1))
