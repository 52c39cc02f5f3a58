"""The training loop: seeded, by number of steps or until a time budget is spent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from linewarden_train.augment import Augment, augment
from linewarden_train.data.samples import Samples
from linewarden_train.ema import averaged, copy_average
from linewarden_train.losses import Losses, LossWeights, two_task_loss
from linewarden_train.sampling import balanced_batches
from linewarden_vision.network.interface import DefectNetwork


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How long and how; ``seed`` fixes sampling and augmentation, not the network's first weights."""

    steps: int = 1500
    batch: int = 16
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    ema_decay: float = 0.995
    seed: int = 0
    budget_s: float | None = None
    weights: LossWeights = field(default_factory=LossWeights)
    augment: Augment = field(default_factory=Augment)


@dataclass(frozen=True, slots=True)
class Step:
    """Progress after one step: 1-based number, of how many, its losses."""

    number: int
    steps: int
    losses: Losses


@dataclass(frozen=True, slots=True)
class Batch:
    """Device tensors: pictures (B, C, H, W) normalised, defective (B,), mask (B, H, W), annotated (B,)."""

    pictures: Tensor
    defective: Tensor
    mask: Tensor
    annotated: Tensor


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Grey levels to network input: (x - mean) / std."""

    mean: float
    std: float


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
    rng = np.random.default_rng(settings.seed)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    average = averaged(network, settings.ema_decay)
    started, taken = clock(), 0
    network.train()
    for indices in balanced_batches(samples.labels, settings.batch, settings.steps, rng):
        done = _share_done(taken, settings, clock() - started)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * schedule(done)
        batch = collate(samples, indices, normalisation, settings.augment, rng, _device(network))
        losses = _learn(network, optimiser, batch, settings.weights)
        average.update_parameters(network)
        taken += 1
        on_step(Step(taken, settings.steps, losses))
    copy_average(average, network)
    network.eval()
    return taken


def schedule(done: float) -> float:
    """Return the learning rate's factor: 5 % warm-up, then a cosine to 1 %."""
    if done < 0.05:
        return 0.1 + 0.9 * done / 0.05
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * (done - 0.05) / 0.95)))


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


def collate(
    samples: Samples,
    indices: Sequence[int],
    normalisation: Normalisation,
    settings: Augment,
    rng: np.random.Generator,
    device: torch.device,
) -> Batch:
    """Fetch, augment and stack samples of one size."""
    chosen = [samples[index] for index in indices]
    changed = [augment(sample.picture, sample.mask, settings, rng) for sample in chosen]
    pictures = torch.from_numpy(np.stack([light for light, _ in changed]))
    pictures = pictures[:, None] if pictures.ndim == 3 else pictures.permute(0, 3, 1, 2)
    masks = np.stack(
        [np.zeros(light.shape[:2], np.float32) if mask is None else mask.astype(np.float32) for light, mask in changed]
    )
    annotated = [
        mask is not None or not sample.label.defective for (_, mask), sample in zip(changed, chosen, strict=True)
    ]
    return Batch(
        pictures=((pictures - normalisation.mean) / normalisation.std)
        .contiguous(memory_format=torch.channels_last)
        .to(device),
        defective=torch.tensor([float(sample.label.defective) for sample in chosen], device=device),
        mask=torch.from_numpy(masks).to(device),
        annotated=torch.tensor([float(known) for known in annotated], device=device),
    )
