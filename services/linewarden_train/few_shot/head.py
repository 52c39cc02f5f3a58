"""A linear head from few labelled pictures: full batches, strong L2, good and bad of equal weight."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from linewarden_vision.network.head import LinearHead


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """Named beforehand: with few pictures there is nothing to choose them on."""

    steps: int = 150
    learning_rate: float = 0.05
    l2: float = 0.02


def train_head(taps: Sequence[Tensor], bad: Sequence[bool], settings: HeadSettings) -> LinearHead:
    """Train on taps (1, C, h, w) of any sizes with their labels; the same input gives the same head.

    Raises ValueError unless there are both good and bad ones.
    """
    if not any(bad) or all(bad):
        raise ValueError("a head needs good and bad pictures")
    head = LinearHead(taps[0].shape[1])
    nn.init.zeros_(head.direction)
    stacks = _stacked(taps, bad)
    optimiser = torch.optim.Adam(head.parameters(), settings.learning_rate)
    for _ in range(settings.steps):
        loss = settings.l2 * head.direction.square().sum()
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
