"""Rivals that ask several times and look at the mean answer and at its spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from linewarden_train.rivals.interface import Look
from linewarden_vision.network.fusion import TAP_STRIDES
from linewarden_vision.network.interface import DefectNetwork


def flips_and_lights(look: Look) -> Mapping[str, Tensor]:
    """Return test-time augmentation: the picture, its three flips and two lights (Ayhan and Berens 2018)."""
    flips = [look.pictures.flip(axes) for axes in ((2,), (3,), (2, 3))]
    # a lamp that is a tenth weaker or stronger: (g x - mean) / std from the normalised (x - mean) / std
    lights = [factor * look.pictures + (factor - 1) * look.mean / look.std for factor in (0.9, 1.1)]
    margins = [_margin(look.network, changed) for changed in (*flips, *lights)]
    return _mean_and_spread("tta", [look.output.margin, *margins])


@dataclass(frozen=True, slots=True)
class McDropout:
    """Drop channels of the neck's inputs and of the tap; neck and head run again (Gal and Ghahramani 2016).

    The networks have no dropout of their own, so this is a reading. One draw of channels serves all
    pictures of a pass, so that a picture scores the same alone and in company.
    """

    seeds: Sequence[int]
    """One per pass."""
    share: float = 0.2

    @classmethod
    def draw(cls, rng: np.random.Generator, passes: int = 20) -> "McDropout":
        """Draw the seeds of all passes."""
        return cls([int(seed) for seed in rng.integers(2**31, size=passes)])

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return mean and spread over the passes."""
        margins = []
        for seed in self.seeds:
            generator = torch.Generator().manual_seed(seed)
            levels = {stride: self._thin(look.output.pyramid[stride], generator) for stride in TAP_STRIDES}
            tap = self._thin(look.network.fuse(levels), generator)
            margins.append(look.network.classify(tap).margin)
        return _mean_and_spread("mc_dropout", margins)

    def _thin(self, values: Tensor, generator: torch.Generator) -> Tensor:
        kept = torch.rand(values.shape[1], generator=generator) >= self.share
        return values * (kept / (1 - self.share)).to(values)[None, :, None, None]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The network and others that were taught alike from other seeds (Lakshminarayanan et al. 2017, arXiv 1612.01474).

    Raises ValueError for one in train mode.
    """

    others: Sequence[DefectNetwork]

    def __post_init__(self) -> None:
        if any(network.training for network in self.others):
            raise ValueError("an ensemble needs its networks in eval mode: call network.eval() first")

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return mean and spread over the networks."""
        return _mean_and_spread(
            "ensemble", [look.output.margin, *(_margin(network, look.pictures) for network in self.others)]
        )


def _margin(network: DefectNetwork, pictures: Tensor) -> Tensor:
    return network.classify(network.fuse(network.encode(pictures))).margin


def _mean_and_spread(name: str, margins: Sequence[Tensor]) -> Mapping[str, Tensor]:
    """Return the mean p(defect), and the deviation of the margins."""
    asked = torch.stack([margin.double() for margin in margins])
    return {name: torch.sigmoid(asked).mean(0), f"{name}_spread": asked.std(0, correction=0)}
