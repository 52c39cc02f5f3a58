"""Exponential moving average of weights."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Return a shadow of the network; batch-norm statistics are averaged too."""
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)


def copy_average(average: AveragedModel, network: nn.Module) -> None:
    """Write the averaged weights back into the network."""
    with torch.no_grad():
        network.load_state_dict(average.module.state_dict())
