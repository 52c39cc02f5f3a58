"""What is exported: one forward pass with its trust, closed form, from grey levels to suspicion."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from linewarden_vision.card import Card, PictureSpec
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.tiles import GRID, Size
from linewarden_vision.trust.cascade import TrustModel
from linewarden_vision.trust.ingredients import cheap_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.suspicion import Normaliser


class Doubt(IntEnum):
    """Why a picture is not fit to be judged, as the output ``undecidable`` says it; the first that applies counts."""

    NONE = 0
    NOT_FINITE = 1
    LEVELS = 2
    """A grey level outside 0 to 255, or none above 1: the picture was scaled otherwise."""
    SIZE = 3
    """A picture of that native size gets another input than this file's."""
    BRIGHTNESS = 4
    CONTRAST = 5


class Exported(NamedTuple):
    """What the graph gives of B pictures.

    margin and suspicion (B,) float32, undecidable (B,) int64, cells v·F and class-agnostic map (B, h, w), mask logits
    (B, H', W') float32.
    """

    margin: Tensor
    suspicion: Tensor
    undecidable: Tensor
    cells: Tensor
    class_agnostic: Tensor
    mask_logits: Tensor


class ExportedPass(nn.Module):
    """Grey levels (B, C, H, W) float32 0 to 255, native (height, width) (B, 2) int64 -> all but the second look.

    The second look follows a gradient and is not part of the graph. A picture that would have got one has
    suspicion 1 here, so that it diverts: the export may doubt more than the bundle, never less. A picture that is not
    fit to be judged has suspicion 1 too, for users who do not look at ``undecidable``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: DefectNetwork, card: Card, size: Size) -> None:
        super().__init__()
        trust = card.trust.build()
        self.network = network
        self.suspicion = _Suspicion(trust)
        self.fitness = _Fitness(card.picture, size)
        self.names = list(trust.names)
        self.register_buffer("mean", torch.tensor(card.picture.mean))
        self.register_buffer("std", torch.tensor(card.picture.std))

    def forward(self, pictures: Tensor, native_size: Tensor) -> Exported:
        """All outputs of B pictures (B, C, H, W), grey levels 0 to 255."""
        output = self.network((pictures - self.mean) / self.std)
        maps = make_maps(output.cells, output.tap)
        suspicion = self.suspicion(cheap_ingredients(output, maps, self.names))
        undecidable = self.fitness(pictures, native_size)
        suspicion = torch.where(undecidable == Doubt.NONE, suspicion, torch.ones_like(suspicion))
        return Exported(output.margin, suspicion, undecidable, output.cells, maps.agnostic, output.mask_logits)


class _Fitness(nn.Module):
    """What ``prepare_picture`` refuses, as a ``Doubt`` for each picture.

    Mean and contrast are those of the picture inside its padding, and of each tile where a picture has several: a
    tile may be doubted though its picture is not. A picture of several tiles has to be within the limits as a whole
    too, which no tile can tell: the file's metadata say so to who judges tile by tile.
    """

    def __init__(self, spec: PictureSpec, size: Size) -> None:
        super().__init__()
        self._spec, self._size = spec, size

    def forward(self, pictures: Tensor, native_size: Tensor) -> Tensor:
        inner = self._inner(native_size)
        inside = self._inside(inner)
        pixels = inside.sum(dim=(2, 3)).float().clamp(min=1)
        levels = torch.where(inside, pictures, torch.zeros_like(pictures))
        mean = levels.sum(dim=(2, 3)) / pixels
        spread = torch.where(inside, pictures - mean[:, :, None, None], torch.zeros_like(pictures))
        contrast = ((spread * spread).sum(dim=(2, 3)) / pixels).sqrt()
        lowest, highest = pictures.amin(dim=(1, 2, 3)), pictures.amax(dim=(1, 2, 3))
        found = torch.zeros_like(native_size[:, 0])
        # From the last to the first, so that the first that applies counts; a comparison with NaN is false.
        for doubt, is_fit in (
            (Doubt.CONTRAST, _within(contrast.mean(dim=1), self._spec.contrast)),
            (Doubt.BRIGHTNESS, _within(mean.mean(dim=1), self._spec.brightness)),
            (Doubt.SIZE, self._is_of_size(inner) & (native_size > 0).all(dim=1)),
            (Doubt.LEVELS, (lowest >= 0) & (highest <= 255) & (highest > 1)),
            (Doubt.NOT_FINITE, (pictures.abs() < float("inf")).flatten(1).all(dim=1)),
        ):
            found = torch.where(is_fit, found, torch.full_like(found, int(doubt)))
        return found

    def _inner(self, native_size: Tensor) -> Tensor:
        grid = GRID if self._spec.pad == "stretch" else 1
        return torch.round(native_size.double() * self._spec.scale / grid).clamp(min=1) * grid

    def _inside(self, inner: Tensor) -> Tensor:
        """(B, 1, H, W): which pixels are no padding."""
        rows, columns = (torch.arange(side, device=inner.device) for side in self._size)
        high = rows[None, :] < inner[:, :1]
        wide = columns[None, :] < inner[:, 1:]
        return (high[:, :, None] & wide[:, None, :])[:, None]

    def _is_of_size(self, inner: Tensor) -> Tensor:
        """(B,): whether ``tiles.lay_out`` gives tiles of this file's size."""
        sides = torch.tensor([self._spec.height, self._spec.width], dtype=inner.dtype)
        grown = sides if self._spec.pad == "full" else torch.ceil(inner / GRID) * GRID
        tile = torch.where(inner <= sides, grown, sides)
        return (tile == torch.tensor(self._size, dtype=inner.dtype)).all(dim=1)


def _within(values: Tensor, limits: tuple[float, float]) -> Tensor:
    return (values >= limits[0]) & (values <= limits[1])


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
