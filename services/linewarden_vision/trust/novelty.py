"""Novelty: how far a picture's patches lie from those of good parts; for defects that no class teaches.

A patch is what the encoder says of a place at strides 8 and 16, averaged over its neighbours, each channel
in units of its spread over good patches, the whole of length 1: its direction, whatever the light. The
bank holds a selection of good patches. After PatchCore (arXiv 2106.08265): the distance of a patch to its
nearest one in the bank, here averaged over the worst places of a picture.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from linewarden_vision.errors import BundleError
from linewarden_vision.trust.scores import TrustScore

if TYPE_CHECKING:
    from linewarden_vision.network.interface import NetworkOutput
    from linewarden_vision.trust.maps import ActivationMaps

NOVELTY_FILE = "novelty.safetensors"
_CHUNK = 512  # rows of the bank compared at once: memory, not speed


class NoveltyBank(nn.Module):
    """Good patches (M, D) of length 1, after division by ``scale`` (D,), the spread of each channel.

    Held beside a network's weights, not among them: the buffers are not part of any state.
    """

    patches: Tensor
    scale: Tensor

    def __init__(self, patches: Tensor, scale: Tensor) -> None:
        super().__init__()
        if patches.ndim != 2 or not len(patches) or scale.shape != patches.shape[1:]:
            raise ValueError(f"a bank is (M, D) with a scale (D,), not {tuple(patches.shape)}, {tuple(scale.shape)}")
        self.register_buffer("patches", patches, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, pyramid: Mapping[int, Tensor]) -> Tensor:
        """Return the novelty (B,), the mean of the worst 1 % of places, float32 under any autocast."""
        with torch.autocast(self.scale.device.type, enabled=False):
            distances = self.distances(directions(patch_features(pyramid), self.scale))
        worst = distances.topk(max(1, math.ceil(0.01 * distances.shape[1])), dim=1).values
        return worst.mean(1)

    def distances(self, patches: Tensor) -> Tensor:
        """Return the distance (B, P) of patches (B, P, D) of length 1 to their nearest neighbours in the bank."""
        flat = patches.flatten(0, 1)
        nearest = flat.new_full((len(flat),), torch.inf)
        for start in range(0, len(self.patches), _CHUNK):
            rows = self.patches[start : start + _CHUNK].float()
            squares = rows.square().sum(1) - 2 * flat @ rows.T
            nearest = torch.minimum(nearest, squares.amin(1))
        return (nearest + flat.square().sum(1)).clamp(min=0).sqrt().view(patches.shape[:2])

    def to_files(self) -> dict[str, bytes]:
        """Return the bundle's file by name; patches are kept in float16."""
        held = {"patches": self.patches.cpu().half().contiguous(), "scale": self.scale.cpu().float().contiguous()}
        return {NOVELTY_FILE: save(held)}

    @classmethod
    def from_file(cls, content: bytes) -> "NoveltyBank":
        """Parse; raises BundleError for anything that is not a bank."""
        try:
            held = load(content)
            bank = cls(held["patches"], held["scale"])
        except (ValueError, KeyError, safetensors.SafetensorError) as error:
            raise BundleError(f"{NOVELTY_FILE} cannot be used: {error}") from error
        if not bool(bank.patches.isfinite().all() & bank.scale.isfinite().all()):
            raise BundleError(f"{NOVELTY_FILE} holds values that are not finite")
        return bank


def directions(patches: Tensor, scale: Tensor) -> Tensor:
    """Return patches (..., D) in units of ``scale`` (D,), each of length 1."""
    return nn.functional.normalize(patches / scale, dim=-1)


def patch_features(pyramid: Mapping[int, Tensor]) -> Tensor:
    """Return patches (B, P, D) float32, P places at stride 8: each level averaged over 3 x 3, then stacked."""
    fine, coarse = (
        nn.functional.avg_pool2d(pyramid[stride].float(), 3, 1, 1, count_include_pad=False) for stride in (8, 16)
    )
    grown = nn.functional.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=False)
    return torch.cat([fine, grown], dim=1).flatten(2).transpose(1, 2)


def _novelty(output: "NetworkOutput", _: "ActivationMaps") -> Tensor:
    if output.novelty is None:
        raise ValueError("novelty needs a network with a bank of good patches")
    return output.novelty.float()


SCORES = (
    TrustScore(
        "novelty",
        {
            "en": "something looks unlike every good part it was shown",
            "de": "etwas sieht anders aus als jedes Gutteil, das es kennt",
        },
        _novelty,
        needs=("novelty",),
    ),
)
