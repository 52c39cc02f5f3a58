"""Exponential moving average of the weights."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Return a shadow of the network; batch-norm statistics are averaged too.

    The decay rises to ``decay`` as (1 + n) / (10 + n) with the number of updates, so that a short run does
    not end with its first weights.
    """
    return AveragedModel(network, multi_avg_fn=_mixer(decay), use_buffers=True)


def copy_average(average: AveragedModel, network: nn.Module) -> None:
    """Write the averaged weights back into the network."""
    with torch.no_grad():
        network.load_state_dict(average.module.state_dict())


_Tensors = tuple[Tensor, ...] | list[Tensor]


def _mixer(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    @torch.no_grad()
    def mix(shadow: _Tensors, current: _Tensors, updates: Tensor | int) -> None:
        count = int(updates)
        step = 1 - min(decay, (1 + count) / (10 + count))
        for kept, new in zip(shadow, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, step)
            else:
                kept.copy_(new)

    return mix
