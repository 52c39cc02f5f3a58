"""Which class of defect a marked region shows: multinomial logistic regression on the network's own features.

The features of a cell (8 x 8 pixels of the input) are the tap and the encoder's maps at strides 4, 8 and 16, brought to
the tap's size. A region's features are their mean over its pixels, and three figures of its shape. The mean of a linear
function is the function of the mean: logits by the cell are all that has to be kept and stitched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator
from scipy.special import softmax
from torch import Tensor, nn

from linewarden_vision.card import CalibrationProvenance
from linewarden_vision.errors import BundleError
from linewarden_vision.network.interface import NetworkOutput
from linewarden_vision.tiles import Size

CLASSES = "classes.json"
TOLD_FROM = 0.8
"""Probability from which on a class is told; below, it is unknown. Fixed, and not chosen on any set."""
STRIDES = (4, 8, 16)
SHAPE = ("log area", "log elongation", "fill")
"""Figures of a region's shape, by the smallest rectangle around it that may be turned."""


class _ClassRecord(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ClassRow(_ClassRecord):
    """What regions of one true class were told to be: shares over groups, each of which counts once.

    `told` has every class, `unknown`, and `not marked`: nothing of the defect was marked.
    """

    defect_class: str
    n_groups: int = Field(ge=0)
    n_regions: int = Field(ge=0)
    told: dict[str, FiniteFloat]


class ClassTable(_ClassRecord):
    """Confusion of classes on groups that did not teach it; `how` says who told on which groups."""

    how: str
    rows: list[ClassRow]


class ClassHead(_ClassRecord):
    """Weights by class over a cell's features (K, C) and over a region's shape (K, 3), and a bias (K,)."""

    schema_version: Literal[1] = 1
    names: list[str] = Field(min_length=2)
    cells: list[list[FiniteFloat]]
    shape: list[list[FiniteFloat]]
    bias: list[FiniteFloat]
    told_from: FiniteFloat = Field(default=TOLD_FROM, gt=0.5, le=1.0)
    held_out: ClassTable
    provenance: CalibrationProvenance

    @model_validator(mode="after")
    def _fits(self) -> ClassHead:
        count = len(self.names)
        if len(set(self.names)) != count or {len(self.cells), len(self.shape), len(self.bias)} != {count}:
            raise ValueError("each class has its name, its weights and its bias once")
        if len({len(row) for row in self.cells}) != 1 or {len(row) for row in self.shape} != {len(SHAPE)}:
            raise ValueError("every class weighs the same features")
        return self

    @classmethod
    def from_file(cls, content: bytes) -> ClassHead:
        """The head in a bundle's file; raises BundleError where it is not such a file."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise BundleError(f"{CLASSES} cannot be read: {error}") from error

    def to_files(self) -> dict[str, bytes]:
        """The file of a bundle by name."""
        return {CLASSES: self.model_dump_json(indent=1).encode() + b"\n"}

    def cell_logits(self, output: NetworkOutput) -> NDArray[np.float32]:
        """Logits of each class by the cell (B, K, h, w), without bias; raises BundleError for another network's."""
        features = cell_features(output)
        weights = torch.tensor(self.cells, dtype=torch.float32, device=features.device)
        if weights.shape[1] != features.shape[1]:
            raise BundleError(f"{CLASSES} weighs {weights.shape[1]} features, the network has {features.shape[1]}")
        with torch.autocast(features.device.type, enabled=False):
            logits = torch.einsum("bchw,kc->bkhw", features, weights)
        return np.asarray(logits.cpu().numpy(), np.float32)

    def guess(self, pooled: NDArray[np.float64], shape: NDArray[np.float64]) -> ClassGuess:
        """The class by a region's pooled logits (K,) and its shape (3,); numbers that are none tell nothing."""
        return self.told_as(pooled + np.asarray(self.shape) @ shape + np.asarray(self.bias))

    def told_as(self, logits: NDArray[np.float64]) -> ClassGuess:
        """The class by whole logits (K,)."""
        if not np.isfinite(logits).all():
            return ClassGuess(None, 0.0, tuple(self.names))
        chances = softmax(logits)
        best = int(chances.argmax())
        chance = float(chances[best])
        return ClassGuess(self.names[best] if chance >= self.told_from else None, chance, tuple(self.names))


@dataclass(frozen=True, slots=True)
class ClassGuess:
    """A class, None where it is unknown; the probability of the most probable; every class that there is."""

    defect_class: str | None
    probability: float
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Logits of one picture by the cell (K, h, w), over the whole input; what a region of it shows."""

    head: ClassHead
    cells: NDArray[np.float32]
    whole: Size
    inner: Size
    native: Size

    def of(self, piece: NDArray[np.bool_], corner: Size) -> ClassGuess:
        """The class of the pixels of a region (height, width) whose upper left corner lies at (row, column)."""
        scale = (self.inner[0] / self.native[0], self.inner[1] / self.native[1])
        pooled = pool_cells(self.cells, piece, corner, self.whole, scale)
        return self.head.guess(pooled, shape_of(piece, scale))


def cell_features(output: NetworkOutput) -> Tensor:
    """Features by the cell of the tap (B, C, h, w), float32."""
    size = (int(output.tap.shape[-2]), int(output.tap.shape[-1]))
    levels = [output.pyramid[stride] for stride in STRIDES if stride in output.pyramid]
    return torch.cat([output.tap.float(), *(_brought_to(level.float(), size) for level in levels)], dim=1)


def _brought_to(level: Tensor, size: Size) -> Tensor:
    if level.shape[-2] > size[0]:
        return nn.functional.adaptive_avg_pool2d(level, size)
    return nn.functional.interpolate(level, size, mode="nearest")


def pool_cells(
    cells: NDArray[np.float32], piece: NDArray[np.bool_], corner: Size, whole: Size, scale: tuple[float, float]
) -> NDArray[np.float64]:
    """Mean (K,) of cells (K, h, w) over a region's pixels.

    `whole` is the input's size that the cells cover, `scale` its pixels for each of the picture, both (rows, columns).
    """
    places = []
    for axis, found in enumerate(np.nonzero(piece)):
        count = cells.shape[axis + 1]
        at = (found + corner[axis] + 0.5) * scale[axis] * count / whole[axis]
        places.append(np.minimum(at.astype(np.int64), count - 1))
    size = cells.shape[1] * cells.shape[2]
    weights = np.bincount(places[0] * cells.shape[2] + places[1], minlength=size)
    used = np.flatnonzero(weights)
    return np.asarray(cells.reshape(len(cells), size)[:, used].astype(np.float64) @ weights[used] / weights.sum())


def shape_of(piece: NDArray[np.bool_], scale: tuple[float, float]) -> NDArray[np.float64]:
    """Figures of a region's shape (3,), in pixels of the input."""
    points = np.argwhere(piece).astype(np.float32)
    _, sides, _ = cv2.minAreaRect(points)
    short, long = sorted(side + 1.0 for side in sides)
    area = len(points) * scale[0] * scale[1]
    return np.asarray([np.log(area), np.log(long / short), len(points) / (short * long)])
