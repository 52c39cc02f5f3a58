"""The training loop: seeded, by number of steps or until a time budget is spent, and able to go on after a stop."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from linewarden_train.data.samples import Samples
from linewarden_train.training.balance import BalanceName, LossBalance, make_balance
from linewarden_train.training.checkpoint import Checkpoint
from linewarden_train.training.drawing import Drawer, DrawSettings, Normalisation, TrainingBatch
from linewarden_train.training.losses import LossWeights, TaskLosses, two_task_loss
from linewarden_train.training.watch import EarlyStop
from linewarden_vision.network.interface import DefectNetwork


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How long and how; ``seed`` fixes sampling and augmentation, not the network's first weights."""

    steps: int = 1500
    learning_rate: float = 3e-3
    encoder_rate: float = 1.0
    """Factor of the learning rate for the encoder: a pretrained one takes smaller steps."""
    encoder_from: float = 0.0
    """Share of the training after which the encoder learns too: a random head would only disturb a pretrained one."""
    weight_decay: float = 0.02
    ema_decay: float = 0.995
    seed: int = 0
    budget_s: float | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 on CUDA, float32 elsewhere (on a CPU without it, bfloat16 took 10 times as long)."""
    balance: BalanceName = "fixed"
    draw: DrawSettings = field(default_factory=DrawSettings)
    weights: LossWeights = field(default_factory=LossWeights)

    def fitting(self, height: int, width: int) -> "TrainSettings":
        """Return the same settings with windows no larger than the input."""
        side = self.draw.side
        return self if side is None else replace(self, draw=replace(self.draw, side=min(side, height, width)))

    def shortened(self, share: float) -> "TrainSettings":
        """Return the same settings with that share of the steps and of the budget."""
        budget = None if self.budget_s is None else self.budget_s * share
        return replace(self, steps=max(1, round(self.steps * share)), budget_s=budget)


@dataclass(frozen=True, slots=True)
class TrainStep:
    """Progress after one step: 1-based number, of how many, share done, learning rate, its losses."""

    number: int
    steps: int
    done: float
    learning_rate: float
    losses: TaskLosses


def train(
    network: DefectNetwork,
    samples: Samples,
    normalisation: Normalisation,
    settings: TrainSettings,
    *,
    clock: Callable[[], float],
    on_step: Callable[[TrainStep], None] = lambda _: None,
    checkpoint: Checkpoint | None = None,
    early_stop: EarlyStop | None = None,
) -> int:
    """Train in place and leave the averaged weights in eval mode; returns the steps taken in all.

    With ``budget_s`` the schedule follows time as ``clock`` (seconds) tells it, so that a slower
    machine takes fewer steps and still ends with a small learning rate; such a run does not repeat
    bit for bit. With a ``checkpoint`` it goes on where that stands. ``early_stop`` ends it before time and
    brings back the best weights. Raises ValueError without both good and defective samples, or for another
    run's checkpoint.
    """
    state = None if checkpoint is None else checkpoint.load()
    if state is not None and "final" in state:
        network.load_state_dict(state["final"])
        network.eval()
        return int(state["taken"])
    run = _Run(network, samples, normalisation, settings, clock)
    if state is not None:
        run.restore(state)
    saved = 0.0 if checkpoint is None else clock()
    while (done := run.done()) < 1:
        on_step(run.step(done))
        if checkpoint is not None and clock() - saved >= checkpoint.every_s:
            checkpoint.save(run.state())
            saved = clock()
        if early_stop is not None and early_stop.is_over(run.taken, run.averaged_network):
            break
    with torch.no_grad():
        network.load_state_dict(run.average.module.state_dict())
    if early_stop is not None:
        early_stop.bring_back(network)
    network.eval()
    if checkpoint is not None:
        checkpoint.save({"taken": run.taken, "final": network.state_dict()})
    return run.taken


def schedule(done: float) -> float:
    """Return the learning rate's factor: 5 % warm-up, then a cosine to 1 %."""
    if done < 0.05:
        return 0.1 + 0.9 * done / 0.05
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * (done - 0.05) / 0.95)))


class _Run:
    """What changes while training: weights, their average, the optimiser, the draw, steps and time."""

    def __init__(
        self,
        network: DefectNetwork,
        samples: Samples,
        normalisation: Normalisation,
        settings: TrainSettings,
        clock: Callable[[], float],
    ) -> None:
        self._network, self._settings, self._clock = network, settings, clock
        self._device = next(network.parameters()).device
        self._rng = np.random.default_rng(settings.seed)
        self._drawer = Drawer(samples, normalisation, settings.draw, self._rng)
        self._encoder = [parameter for parameter in network.backbone.parameters() if parameter.requires_grad]
        self._balance = make_balance(settings.balance, network)
        self._optimiser = _optimiser(network, self._balance, settings)
        self.average: AveragedModel = averaged(network, settings.ema_decay)
        self.taken = 0
        self._before, self._started = 0.0, clock()
        self._encoder_learns = False
        for parameter in self._encoder:
            parameter.requires_grad = False
        network.train()

    @property
    def averaged_network(self) -> DefectNetwork:
        """The shadow as a network."""
        module = self.average.module
        if not isinstance(module, DefectNetwork):
            raise TypeError(f"the average of a defect network is one, not {type(module).__name__}")
        return module

    def done(self) -> float:
        """Return the share of steps or of time that is used up, whichever is larger."""
        by_steps = self.taken / self._settings.steps
        if self._settings.budget_s is None:
            return by_steps
        return max(by_steps, self._elapsed() / self._settings.budget_s)

    def step(self, done: float) -> TrainStep:
        """Take one step with the batch for the share of the training that is ``done``, 0 to 1."""
        rate = schedule(done)
        if not self._encoder_learns and done >= self._settings.encoder_from:
            self._let_encoder_learn()
        for group in self._optimiser.param_groups:
            group["lr"] = group["full"] * rate
        losses = self._learn(self._drawer.draw(done).to(self._device))
        self.average.update_parameters(self._network)
        self.taken += 1
        return TrainStep(self.taken, self._settings.steps, done, self._settings.learning_rate * rate, losses)

    def state(self) -> dict[str, Any]:
        """Return everything that going on needs."""
        return {
            "taken": self.taken,
            "elapsed": self._elapsed(),
            "network": self._network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "rng": self._rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there; balances with a memory start theirs anew."""
        self.taken, self._before, self._started = int(state["taken"]), float(state["elapsed"]), self._clock()
        self._network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._rng.bit_generator.state = state["rng"]

    def _let_encoder_learn(self) -> None:
        self._encoder_learns = True
        for parameter in self._encoder:
            parameter.requires_grad = True

    def _elapsed(self) -> float:
        return self._before + self._clock() - self._started

    def _learn(self, batch: TrainingBatch) -> TaskLosses:
        precision = self._settings.precision
        half = precision == "bfloat16" or (precision == "auto" and self._device.type == "cuda")
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=half):
            output = self._network(batch.pictures)
        losses = two_task_loss(output, batch.defective, batch.mask, batch.annotated, self._settings.weights)
        total = self._balance.total(losses)
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 2.0)
        self._optimiser.step()
        return losses


def _optimiser(network: DefectNetwork, balance: LossBalance, settings: TrainSettings) -> torch.optim.Optimizer:
    backbone = {id(parameter) for parameter in network.backbone.parameters()}
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    parts = [
        (settings.learning_rate * settings.encoder_rate, [p for p in learnt if id(p) in backbone]),
        (settings.learning_rate, [p for p in learnt if id(p) not in backbone] + list(balance.parameters())),
    ]
    groups = [{"params": chosen, "lr": rate, "full": rate} for rate, chosen in parts]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


_Tensors = tuple[Tensor, ...] | list[Tensor]


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Return a shadow of the network; batch-norm statistics are averaged too.

    The decay rises to ``decay`` as (1 + n) / (10 + n) with the number of updates, so that a short run does
    not end with its first weights.
    """

    @torch.no_grad()
    def mix(shadow: _Tensors, current: _Tensors, updates: Tensor | int) -> None:
        count = int(updates)
        step = 1 - min(decay, (1 + count) / (10 + count))
        for kept, new in zip(shadow, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, step)
            else:
                kept.copy_(new)

    return AveragedModel(network, multi_avg_fn=mix, use_buffers=True)
