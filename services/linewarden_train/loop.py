"""The training loop: seeded, by number of steps or until a time budget is spent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linewarden_train.augment import Augment, augment, crop
from linewarden_train.data.samples import GOOD, Label, Sample, Samples
from linewarden_train.ema import averaged, copy_average
from linewarden_train.losses import Losses, LossWeights, two_task_loss
from linewarden_train.sampling import sampling_weights
from linewarden_vision.network.interface import DefectNetwork


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How long and how; ``seed`` fixes sampling and augmentation, not the network's first weights."""

    steps: int = 1500
    batch: int = 16
    crop: int | None = None
    """Side of native-scale crops in the first ``crop_share`` of the steps, in proportionally larger batches."""
    crop_share: float = 0.7
    learning_rate: float = 3e-3
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
    """Tensors: pictures (B, C, H, W) normalised, defective (B,), mask (B, H, W), annotated (B,)."""

    pictures: Tensor
    defective: Tensor
    mask: Tensor
    annotated: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on that device."""
        return Batch(
            self.pictures.to(device), self.defective.to(device), self.mask.to(device), self.annotated.to(device)
        )


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
    weights = sampling_weights(samples.labels)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    average = averaged(network, settings.ema_decay)
    started, taken = clock(), 0
    network.train()
    while (done := _share_done(taken, settings, clock() - started)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * schedule(done)
        batch = _draw(samples, weights, normalisation, settings, done, rng).to(_device(network))
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


def _draw(
    samples: Samples,
    weights: NDArray[np.float64],
    normalisation: Normalisation,
    settings: TrainSettings,
    done: float,
    rng: np.random.Generator,
) -> Batch:
    """Draw a balanced batch with replacement: of crops at first, of whole pictures at the end."""
    side = settings.crop if settings.crop is not None and done < settings.crop_share else None
    count = settings.batch if side is None else 2 * settings.batch
    chosen = [samples[int(index)] for index in rng.choice(len(samples), size=count, p=weights)]
    if side is not None:
        chosen = [_cropped(sample, side, rng) for sample in chosen if sample.mask is not None]
    return collate(chosen, normalisation, settings.augment, rng)


def _cropped(sample: Sample, side: int, rng: np.random.Generator) -> Sample:
    """Crop, and call the crop good where it shows nothing of the defect."""
    picture, mask = crop(sample.picture, sample.mask, side, rng)
    shows = mask is None or bool(mask.any())
    label = sample.label if shows else Label(GOOD, sample.label.group)
    return Sample(picture, mask, label)


def collate(
    chosen: Sequence[Sample], normalisation: Normalisation, settings: Augment, rng: np.random.Generator
) -> Batch:
    """Augment and stack samples of one size."""
    changed = [augment(sample.picture, sample.mask, settings, rng) for sample in chosen]
    pictures = torch.from_numpy(np.stack([light for light, _ in changed]))
    pictures = pictures[:, None] if pictures.ndim == 3 else pictures.permute(0, 3, 1, 2)
    masks = [np.zeros(light.shape[:2], bool) if mask is None else mask for light, mask in changed]
    defective = np.asarray([sample.label.defective for sample in chosen], np.float32)
    annotated = np.asarray([sample.mask is not None or not sample.label.defective for sample in chosen], np.float32)
    return Batch(
        pictures=((pictures - normalisation.mean) / normalisation.std).contiguous(memory_format=torch.channels_last),
        defective=torch.from_numpy(defective),
        mask=torch.from_numpy(np.stack(masks).astype(np.float32)),
        annotated=torch.from_numpy(annotated),
    )
