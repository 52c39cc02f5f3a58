"""A neck without training: the tap shows the principal directions of good patches, each way.

Few pictures cannot teach a convolution. The neck of the light network is given weights in closed form
instead: strides 8, 16 and 32 are projected onto the K main directions in which good parts vary, whitened,
once with each sign, so that after the ReLU nothing is lost; the tap has 2 K channels.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from linewarden_train.few_shot.features import Views
from linewarden_vision.network.fusion import TAP_STRIDES, TopDownFusion, grow_to
from linewarden_vision.network.interface import Pyramid

_MOST = 20_000
_LEAST_SPREAD = 1e-3  # of a channel, as a share of the mean spread: a dead channel says nothing


def set_neck(fusion: TopDownFusion, good: Sequence[Views], tap_channels: int) -> None:
    """Write the weights in place; raises ValueError for an odd number of channels."""
    if tap_channels % 2:
        raise ValueError(f"the tap shows each direction both ways: {tap_channels} channels are odd")
    places = torch.cat([_places(pyramid) for views in good for pyramid in views.pyramids])
    places = places[:: max(1, len(places) // _MOST)]
    mean, spread = places.mean(0), places.std(0)
    spread = torch.where(spread > _LEAST_SPREAD * spread.mean(), spread, torch.inf)
    directions, sizes = _principal((places - mean) / spread, tap_channels // 2)
    weights = directions / sizes[:, None] / spread
    signed = torch.cat([weights, -weights])
    with torch.no_grad():
        _set_laterals(fusion, signed, -signed @ mean)
        _set_smooth(fusion.smooth)


def _places(pyramid: Pyramid) -> Tensor:
    """Return what the laterals will see at each place of stride 8, (N, D)."""
    middle = grow_to(pyramid[32], pyramid[16])
    levels = [pyramid[8], grow_to(pyramid[16], pyramid[8]), grow_to(middle, pyramid[8])]
    return torch.cat(levels, dim=1)[0].flatten(1).T.float()


def _principal(places: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the main directions (count, D) and the spread along each (count,)."""
    values, vectors = torch.linalg.eigh(places.T @ places / len(places))
    return vectors[:, -count:].flip(1).T.contiguous(), values[-count:].flip(0).clamp(min=1e-6).sqrt()


def _set_laterals(fusion: TopDownFusion, weights: Tensor, bias: Tensor) -> None:
    start = 0
    for stride in TAP_STRIDES:
        lateral = cast("nn.Conv2d", fusion.laterals[str(stride)])
        width = lateral.in_channels
        lateral.weight.copy_(weights[:, start : start + width, None, None])
        cast("Tensor", lateral.bias).copy_(bias if stride == TAP_STRIDES[0] else torch.zeros_like(bias))
        start += width


def _set_smooth(smooth: nn.Sequential) -> None:
    """Let the 3 x 3 convolution average each channel, and the batch norm pass it on."""
    convolution, norm = cast("nn.Conv2d", smooth[0]), cast("nn.BatchNorm2d", smooth[1])
    nn.init.zeros_(convolution.weight)
    channels = torch.arange(convolution.out_channels)
    convolution.weight[channels, channels] = 1 / 9
    norm.reset_parameters()
    cast("Tensor", norm.running_var).fill_(1 - norm.eps)
