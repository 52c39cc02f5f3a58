"""What every defect network offers, in steps, so that trust can re-run a part of it.

pictures -> encode -> pyramid -> fuse -> tap F -> classify -> cells, margin
                         |________________|___-> decode   -> mask logits
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from linewarden_vision.network.fusion import TopDownFusion
from linewarden_vision.network.head import Classification, LinearHead
from linewarden_vision.trust.novelty import NoveltyBank

Pyramid = Mapping[int, Tensor]
"""Encoder maps (B, C, H/stride, W/stride) by stride."""


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """One forward pass: margin (B,), cells (B, h, w), tap (B, C, h, w), mask_logits (B, H', W').

    ``mask_logits`` may be coarser than the picture; ``pyramid`` feeds the enhancement. ``novelty`` (B,)
    is there where the network has a bank of good patches.
    """

    margin: Tensor
    cells: Tensor
    tap: Tensor
    mask_logits: Tensor
    pyramid: Pyramid
    novelty: Tensor | None = None


@runtime_checkable
class SteppedNetwork(Protocol):
    """What a second look runs again: any network in these steps, also one of another project."""

    training: bool

    def encode(self, pictures: Tensor) -> Pyramid:
        """Encode normalised pictures (B, C, H, W); strides 8, 16 and 32 at least."""

    def fuse(self, pyramid: Pyramid) -> Tensor:
        """Return the tap F (B, C, h, w)."""

    def classify(self, tap: Tensor) -> Classification:
        """Return cells (B, h, w) and margin (B,)."""


class DefectNetwork(nn.Module, ABC):
    """Shared encoder with a linear sample head on a fused tap and a mask decoder."""

    fusion: TopDownFusion
    head: LinearHead
    held: tuple[nn.Module, ...] = ()
    """Parts of the encoder that training leaves in eval mode; no part of the state."""
    novelty: NoveltyBank | None
    """Good patches to compare with; no part of the weights, given by whoever loads the bundle."""

    def __init__(self) -> None:
        super().__init__()
        self.register_module("novelty", None)

    @property
    @abstractmethod
    def backbone(self) -> nn.Module:
        """The encoder's own module, whose weights may be pretrained."""

    def freeze(self, stages: int) -> None:
        """Keep the encoder's first stages as they are; raises ValueError where that network cannot."""
        if stages:
            raise ValueError(f"{type(self).__name__} cannot freeze stages of its encoder")

    def hold_statistics(self) -> None:
        """Keep the encoder's batch statistics, also in train mode: a small batch knows less than its pretraining."""
        self.held = (*self.held, *(part for part in self.backbone.modules() if isinstance(part, _BatchNorm)))
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch the mode of all but the held parts, which stay in eval mode."""
        super().train(mode)
        for part in self.held:
            part.eval()
        return self

    @abstractmethod
    def encode(self, pictures: Tensor) -> Pyramid:
        """Encode normalised pictures (B, C, H, W), H and W divisible by 32."""

    @abstractmethod
    def decode(self, tap: Tensor, pyramid: Pyramid) -> Tensor:
        """Return mask logits (B, H', W')."""

    def fuse(self, pyramid: Pyramid) -> Tensor:
        """Return the fused tap F (B, C, H/8, W/8), non-negative."""
        fused: Tensor = self.fusion(pyramid)
        return fused

    def classify(self, tap: Tensor) -> Classification:
        """Return the linear cell map and its pooled margin, both float32."""
        classified: Classification = self.head(tap)
        return classified

    def forward(self, pictures: Tensor) -> NetworkOutput:
        """Run all steps; gradients and train mode are the caller's business."""
        pyramid = self.encode(pictures)
        tap = self.fuse(pyramid)
        classified = self.classify(tap)
        mask_logits = self.decode(tap, pyramid)
        novelty = None if self.novelty is None else self.novelty(pyramid)
        return NetworkOutput(classified.margin, classified.cells, tap, mask_logits, pyramid, novelty)


def upsample_mask(mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring mask logits (B, h, w) bilinearly to (B, *size)."""
    if tuple(mask_logits.shape[-2:]) == size:
        return mask_logits
    grown = nn.functional.interpolate(mask_logits[:, None], size, mode="bilinear", align_corners=False)
    return torch.squeeze(grown, 1)
