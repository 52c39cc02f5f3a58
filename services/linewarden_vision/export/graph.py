"""What is exported: one forward pass with its trust, closed form, from grey levels to suspicion."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from linewarden_vision.card import Card
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.cascade import TrustModel
from linewarden_vision.trust.ingredients import cheap_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.normaliser import Normaliser

OUTPUTS = ("margin", "suspicion", "cells", "class_agnostic", "mask_logits")


class Exported(NamedTuple):
    """margin and suspicion (B,), cells v·F and class-agnostic map (B, h, w), mask logits (B, H', W'); float32."""

    margin: Tensor
    suspicion: Tensor
    cells: Tensor
    class_agnostic: Tensor
    mask_logits: Tensor


class ExportedPass(nn.Module):
    """Grey levels (B, C, H, W) float32 from 0 to 255 -> everything but the second look.

    The second look follows a gradient and is not part of the graph. A picture that would have got one has
    suspicion 1 here, so that it diverts: the export may doubt more than the bundle, never less.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: DefectNetwork, card: Card) -> None:
        super().__init__()
        trust = card.trust.build()
        self.network = network
        self.suspicion = _Suspicion(trust)
        self._names = list(trust.names)
        self.register_buffer("mean", torch.tensor(card.picture.mean))
        self.register_buffer("std", torch.tensor(card.picture.std))

    def forward(self, pictures: Tensor) -> Exported:
        """Run the pass."""
        output = self.network((pictures - self.mean) / self.std)
        maps = make_maps(output.cells, output.tap)
        suspicion = self.suspicion(cheap_ingredients(output, maps, self._names))
        return Exported(output.margin, suspicion, output.cells, maps.agnostic, output.mask_logits)


class _Suspicion(nn.Module):
    """Rarities and logistic of the plain pass as tensors; the same numbers as on the host, in float32."""

    weights: Tensor

    def __init__(self, trust: TrustModel) -> None:
        super().__init__()
        self.rarities = nn.ModuleList(_Rarity(scale) for scale in trust.normalisers)
        self.register_buffer("weights", torch.tensor(trust.logistic.coefficients, dtype=torch.float32))
        self._intercept = trust.logistic.intercept
        self._gate = float("inf") if trust.second is None else trust.second.gate

    def forward(self, ingredients: Tensor) -> Tensor:
        columns = [rarity(ingredients[:, column]) for column, rarity in enumerate(self.rarities)]
        suspicion = torch.sigmoid(torch.stack(columns, dim=1) @ self.weights + self._intercept)
        known = (ingredients == ingredients).all(dim=1)  # noqa: PLR0124 - not a number is unequal to itself
        return torch.where(known & (suspicion < self._gate), suspicion, torch.ones_like(suspicion))


class _Rarity(nn.Module):
    """A normaliser: how rare a value is among good pictures, in nats."""

    good: Tensor

    def __init__(self, scale: Normaliser) -> None:
        super().__init__()
        self.register_buffer("good", torch.tensor(np.asarray(scale.good), dtype=torch.float32))
        self._knee, self._tail = scale.tail

    def forward(self, values: Tensor) -> Tensor:
        body = torch.clamp(values, max=self._knee)
        at_least = (self.good >= body[:, None]).sum(dim=1).float()
        rarity = -torch.log((1 + at_least) / (self.good.shape[0] + 1))
        return rarity + torch.clamp(values - self._knee, min=0) / self._tail
