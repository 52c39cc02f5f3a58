"""What a rival is: a look at a batch in, named scores out, high is suspicious."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from linewarden_train.data.samples import Samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork, NetworkOutput
from linewarden_vision.prepare import prepare_picture
from linewarden_vision.stitching import Tile, tiles_of
from linewarden_vision.tiles import Size


@dataclass(frozen=True, slots=True)
class Look:
    """One plain pass: the network in eval mode, normalised pictures (B, C, H, W), what came out.

    ``mean`` and ``std`` are the normalisation's, in grey levels of 255.
    """

    network: DefectNetwork
    pictures: Tensor
    output: NetworkOutput
    mean: float
    std: float


class Rival(Protocol):
    """Fitted or not, a rival never looks at the truth of what it scores."""

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return scores (B,) by name; runs under inference_mode and leaves the network as it was."""


def looks(network: DefectNetwork, samples: Samples, spec: PictureSpec, batch: int) -> Iterator[tuple[list[int], Look]]:
    """Pass all samples through the network; yields the sample that each row shows, and the look.

    A picture in tiles has several rows; pictures of one shape come together, whatever their order. Raises
    ValueError for a network in train mode and UnusablePicture for a picture that the inspector would not judge.
    """
    for rows, pictures in _passes(network, samples, spec, batch):
        with torch.inference_mode():
            output = network(pictures)
        yield rows, Look(network, pictures, output, spec.mean, spec.std)


def pooled_features(
    network: DefectNetwork, samples: Samples, spec: PictureSpec, batch: int
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield the sample of each row and its pooled features (B, C), from no more of the network than they need.

    Rows come, and it raises, as with ``looks``.
    """
    for rows, pictures in _passes(network, samples, spec, batch):
        with torch.inference_mode():
            features = pooled(network.fuse(network.encode(pictures)))
        yield rows, features


def _passes(
    network: DefectNetwork, samples: Samples, spec: PictureSpec, batch: int
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield the sample of each row, and the normalised pictures (B, C, H, W) on the network's device."""
    if network.training:
        raise ValueError("rivals need the network in eval mode: call network.eval() first")
    device = next(network.parameters()).device
    for tiles in gathered(samples, spec, batch):
        with torch.inference_mode():
            pictures = to_device(tiles, device, spec.mean, spec.std)
        yield [tile.owner for tile in tiles], pictures


def pooled(tap: Tensor) -> Tensor:
    """Return a picture's features (B, C): the mean of the tap over its cells, float32."""
    return tap.float().mean((2, 3))


def gathered(samples: Samples, spec: PictureSpec, most: int) -> Iterator[list[Tile]]:
    """Yield every tile of every sample once, owned by the sample's index, at most ``most`` of one shape together.

    Each sample is decoded once. Raises UnusablePicture for one that the inspector would not judge.
    """
    waiting: dict[Size, list[Tile]] = {}
    for index in range(len(samples)):
        prepared = prepare_picture(samples[index].picture, spec)
        for tile in tiles_of(prepared, index):
            waiting.setdefault(prepared.tile, []).append(tile)
            if len(waiting[prepared.tile]) == most:
                yield waiting.pop(prepared.tile)
        if sum(map(len, waiting.values())) > 128:  # tiles held back at most: what a large set takes in memory
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    yield from waiting.values()
