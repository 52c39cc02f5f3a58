"""How the losses of several tasks are weighed against each other while training."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from linewarden_train.training.losses import TaskLosses
from linewarden_vision.network.interface import DefectNetwork

BalanceName = Literal["fixed", "uncertainty", "gradnorm"]


class LossBalance:
    """Turns weighted parts into the one loss to minimise; this one leaves the weights as they were set."""

    def total(self, losses: TaskLosses) -> Tensor:
        """Return the loss, here the plain sum; may look at gradients of the parts, never changes them."""
        return losses.total

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return what the optimiser learns beside the network, here nothing."""
        return ()


def make_balance(name: BalanceName, network: DefectNetwork) -> LossBalance:
    """Build a balance for a network that is about to be trained."""
    if name == "uncertainty":
        return UncertaintyBalance(next(network.parameters()).device)
    return GradNormBalance(network) if name == "gradnorm" else LossBalance()


class UncertaintyBalance(LossBalance):
    """Learnt task uncertainty: sum of exp(-s) L + s (Kendall et al. 2018, arXiv 1705.07115)."""

    def __init__(self, device: torch.device) -> None:
        self._uncertainty = nn.Parameter(torch.zeros(3, device=device))

    def total(self, losses: TaskLosses) -> Tensor:
        """Return the loss; a part that is switched off (0) takes no part."""
        used = [(part, s) for part, s in zip(losses.parts, self._uncertainty, strict=True) if part.detach() != 0]
        return torch.stack([torch.exp(-s) * part + s for part, s in used]).sum()

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return the three log variances, one tensor."""
        return (self._uncertainty,)


class GradNormBalance(LossBalance):
    """Gradient normalisation at the last shared layer (Chen et al. 2018, arXiv 1711.02257), without its own optimiser.

    Each weight moves by ``rate`` towards where its task's gradient has the common size, larger for tasks that
    learn slowly: by the sign alone, so that no scale of a loss decides the pace.
    """

    def __init__(self, network: DefectNetwork, *, strength: float = 1.5, rate: float = 0.025) -> None:
        self._shared = next(parameter for parameter in network.fusion.smooth.parameters())
        self._strength, self._rate = strength, rate
        self._first: list[float] = []
        self.weights = [1.0, 1.0, 1.0]

    def total(self, losses: TaskLosses) -> Tensor:
        """Return the weighted sum; the weights are constants of this step and add up to the number of tasks."""
        on = [index for index, part in enumerate(losses.parts) if part.detach() != 0]
        now = [float(losses.parts[index].detach()) for index in on]
        self._first = self._first or now
        sizes = [self._size(losses.parts[index]) for index in on]
        self._move(on, sizes, [value / max(first, 1e-8) for value, first in zip(now, self._first, strict=True)])
        return torch.stack([self.weights[index] * losses.parts[index] for index in on]).sum()

    def _size(self, part: Tensor) -> float:
        (slope,) = torch.autograd.grad(part, self._shared, retain_graph=True)
        return float(slope.norm())

    def _move(self, on: list[int], sizes: list[float], progress: list[float]) -> None:
        weighted = [self.weights[index] * size for index, size in zip(on, sizes, strict=True)]
        common, pace = sum(weighted) / len(on), sum(progress) / len(on)
        for index, own, share in zip(on, weighted, progress, strict=True):
            target = common * (share / max(pace, 1e-8)) ** self._strength
            self.weights[index] *= math.exp(-self._rate * ((own > target) - (own < target)))
        scale = len(on) / sum(self.weights[index] for index in on)
        for index in on:
            self.weights[index] *= scale
