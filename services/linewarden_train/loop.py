"""The training loop: seeded, by number of steps or until a time budget is spent."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from linewarden_train.data.samples import Samples
from linewarden_train.drawing import Batch, Drawer, DrawSettings, Normalisation
from linewarden_train.ema import averaged, copy_average
from linewarden_train.losses import Losses, LossWeights, two_task_loss
from linewarden_vision.network.interface import DefectNetwork


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How long and how; ``seed`` fixes sampling and augmentation, not the network's first weights."""

    steps: int = 1500
    learning_rate: float = 3e-3
    encoder_rate: float = 1.0
    """Factor of the learning rate for the encoder: a pretrained one takes smaller steps."""
    weight_decay: float = 0.02
    ema_decay: float = 0.995
    seed: int = 0
    budget_s: float | None = None
    draw: DrawSettings = field(default_factory=DrawSettings)
    weights: LossWeights = field(default_factory=LossWeights)


@dataclass(frozen=True, slots=True)
class Step:
    """Progress after one step: 1-based number, of how many, share done, its losses."""

    number: int
    steps: int
    done: float
    losses: Losses


def train(
    network: DefectNetwork,
    samples: Samples,
    normalisation: Normalisation,
    settings: TrainSettings,
    *,
    clock: Callable[[], float],
    on_step: Callable[[Step], None] = lambda _: None,
) -> int:
    """Train in place and leave the averaged weights in eval mode; returns the steps taken.

    With ``budget_s`` the schedule follows time as ``clock`` (seconds) tells it, so that a slower
    machine takes fewer steps and still ends with a small learning rate; such a run does not repeat
    bit for bit. Raises ValueError without both good and defective samples.
    """
    drawer = Drawer(samples, normalisation, settings.draw, np.random.default_rng(settings.seed))
    optimiser = _optimiser(network, settings)
    average = averaged(network, settings.ema_decay)
    started, taken = clock(), 0
    network.train()
    while (done := _share_done(taken, settings, clock() - started)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = group["full"] * schedule(done)
        batch = drawer.draw(done).to(_device(network))
        losses = _learn(network, optimiser, batch, settings.weights)
        average.update_parameters(network)
        taken += 1
        on_step(Step(taken, settings.steps, done, losses))
    copy_average(average, network)
    network.eval()
    return taken


def schedule(done: float) -> float:
    """Return the learning rate's factor: 5 % warm-up, then a cosine to 1 %."""
    if done < 0.05:
        return 0.1 + 0.9 * done / 0.05
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * (done - 0.05) / 0.95)))


def _optimiser(network: DefectNetwork, settings: TrainSettings) -> torch.optim.Optimizer:
    encoder = {id(parameter) for parameter in network.encoder_parameters()}
    parts = [
        (settings.learning_rate * settings.encoder_rate, [p for p in network.parameters() if id(p) in encoder]),
        (settings.learning_rate, [p for p in network.parameters() if id(p) not in encoder]),
    ]
    groups = [{"params": chosen, "lr": rate, "full": rate} for rate, chosen in parts]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


def _share_done(taken: int, settings: TrainSettings, elapsed: float) -> float:
    by_steps = taken / settings.steps
    return by_steps if settings.budget_s is None else max(by_steps, elapsed / settings.budget_s)


def _device(network: DefectNetwork) -> torch.device:
    return next(network.parameters()).device


def _learn(network: DefectNetwork, optimiser: torch.optim.Optimizer, batch: Batch, weights: LossWeights) -> Losses:
    losses = two_task_loss(network(batch.pictures), batch.defective, batch.mask, batch.annotated, weights)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(losses.total)
    torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimiser.step()
    return losses
