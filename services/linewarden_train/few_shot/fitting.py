"""What is fitted on the features of few pictures: the neck in closed form, the bank of novelty, the linear head."""

from collections import defaultdict
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from linewarden_train.few_shot.features import Views
from linewarden_vision.network.fusion import TAP_STRIDES, TopDownFusion, grow_to
from linewarden_vision.network.head import LinearHead
from linewarden_vision.network.interface import Pyramid
from linewarden_vision.trust.novelty import NoveltyBank, directions


def set_neck(fusion: TopDownFusion, good: Sequence[Views], tap_channels: int) -> None:
    """Give the neck weights in place, without training: few pictures cannot teach a convolution.

    Strides 8, 16 and 32 are projected onto the main directions in which good parts vary, whitened, once with each
    sign, so that after the ReLU nothing is lost. Raises ValueError for an odd number of channels.
    """
    if tap_channels % 2:
        raise ValueError(f"the tap shows each direction both ways: {tap_channels} channels are odd")
    places = torch.cat([_places(pyramid) for views in good for pyramid in views.pyramids])
    places = places[:: max(1, len(places) // 20_000)]
    mean, spread = places.mean(0), places.std(0)
    spread = torch.where(spread > 1e-3 * spread.mean(), spread, torch.inf)  # a dead channel says nothing
    centred = (places - mean) / spread
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    main, sizes = vectors[:, -(tap_channels // 2) :].flip(1).T.contiguous(), values[-(tap_channels // 2) :].flip(0)
    weights = main / sizes.clamp(min=1e-6).sqrt()[:, None] / spread
    signed = torch.cat([weights, -weights])
    with torch.no_grad():
        _set_laterals(fusion, signed, -signed @ mean)
        _set_smooth(fusion.smooth)


def _places(pyramid: Pyramid) -> Tensor:
    """Return what the laterals will see at each place of stride 8, (N, D)."""
    middle = grow_to(pyramid[32], pyramid[16])
    levels = [pyramid[8], grow_to(pyramid[16], pyramid[8]), grow_to(middle, pyramid[8])]
    return torch.cat(levels, dim=1)[0].flatten(1).T.float()


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


def build_bank(patches: Tensor, size: int, rng: np.random.Generator) -> NoveltyBank:
    """Select ``size`` of the patches (N, D) of good parts, or all if fewer, so that they cover the others.

    At most 20,000 random candidates are looked at, each step takes the one farthest from those selected
    (greedy k-center). Raises ValueError for patches that are none or not finite.
    """
    if patches.ndim != 2 or not len(patches) or not bool(patches.isfinite().all()):
        raise ValueError(f"a bank needs finite patches (N, D), not {tuple(patches.shape)}")
    scale = patches.std(0).clamp(min=1e-6)
    if len(patches) > 20_000:
        chosen = np.sort(rng.choice(len(patches), 20_000, replace=False))
        patches = patches[torch.from_numpy(chosen)]
    scaled = directions(patches, scale)
    return NoveltyBank(scaled[cover(scaled, min(size, len(scaled)), rng)].half(), scale)


def cover(points: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    """Return the indices (size,) of a greedy k-center selection of points (N, D), on a random projection."""
    # 32 dimensions, in which the selection measures distances (Johnson-Lindenstrauss)
    axes = rng.standard_normal((points.shape[1], 32)) / np.sqrt(32)
    projected = points @ torch.from_numpy(axes.astype(np.float32))
    squares = projected.square().sum(1)
    nearest = torch.full((len(points),), torch.inf)
    chosen = [int(rng.integers(len(points)))]
    for _ in range(size - 1):
        last = chosen[-1]
        nearest = torch.minimum(nearest, squares + squares[last] - 2 * projected @ projected[last])
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen)


def train_head(
    taps: Sequence[Tensor], bad: Sequence[bool], *, steps: int = 150, learning_rate: float = 0.05, l2: float = 0.02
) -> LinearHead:
    """Train on taps (1, C, h, w) of any sizes with their labels; the same input gives the same head.

    The settings are named beforehand: with few pictures there is nothing to choose them on. Full batches, strong L2,
    good and bad of equal weight. Raises ValueError unless there are both good and bad ones.
    """
    if not any(bad) or all(bad):
        raise ValueError("a head needs good and bad pictures")
    head = LinearHead(taps[0].shape[1])
    nn.init.zeros_(head.direction)
    stacks = _stacked(taps, bad)
    optimiser = torch.optim.Adam(head.parameters(), learning_rate)
    for _ in range(steps):
        loss = l2 * head.direction.square().sum()
        for tap, label, weight in stacks:
            margin = head(tap).margin
            loss = loss + (weight * functional.binary_cross_entropy_with_logits(margin, label, reduction="none")).sum()
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
    return head.eval().requires_grad_(requires_grad=False)


def _stacked(taps: Sequence[Tensor], bad: Sequence[bool]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Stack taps of one size, with labels and weights that give either side one half."""
    halves = {True: 0.5 / sum(bad), False: 0.5 / (len(bad) - sum(bad))}
    found: dict[torch.Size, list[int]] = defaultdict(list)
    for index, tap in enumerate(taps):
        found[tap.shape].append(index)
    return [
        (
            torch.cat([taps[index] for index in members]),
            torch.tensor([float(bad[index]) for index in members]),
            torch.tensor([halves[bool(bad[index])] for index in members]),
        )
        for members in found.values()
    ]
