"""What a frozen encoder says of a few pictures, flipped each way: all that teaching from few looks at."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from linewarden_train.data.samples import Picture, Samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork, Pyramid
from linewarden_vision.prepare import prepare_picture
from linewarden_vision.stitching import passes
from linewarden_vision.trust.novelty import patch_features


@dataclass(frozen=True, slots=True)
class Views:
    """Pyramids (strides 8, 16, 32) of one picture: as it is, then flipped upside down, sideways and both."""

    pyramids: list[Pyramid]

    @property
    def plain(self) -> Pyramid:
        """The picture as it is."""
        return self.pyramids[0]

    def patches(self) -> Tensor:
        """Patches (N, D) of all flips."""
        return torch.cat([patch_features(pyramid)[0] for pyramid in self.pyramids])


def encode_all(
    network: DefectNetwork, samples: Samples, spec: PictureSpec, on_picture: Callable[[int], None]
) -> list[Views]:
    """Encode every picture in its flips, each picture whole; ``on_picture`` hears how many are done."""
    found, flips = [], ((1, 1), (-1, 1), (1, -1), (-1, -1))
    for index in range(len(samples)):
        picture = samples[index].picture
        found.append(Views([_encode(network, picture[::down, ::across], spec) for down, across in flips]))
        on_picture(index + 1)
    return found


def _encode(network: DefectNetwork, picture: Picture, spec: PictureSpec) -> Pyramid:
    (tiles,) = passes([prepare_picture(np.ascontiguousarray(picture), spec)], 1)
    with torch.inference_mode():
        pyramid = network.encode(to_device(tiles, torch.device("cpu"), spec.mean, spec.std))
    return {stride: pyramid[stride].clone() for stride in (8, 16, 32)}
