"""Drawing training batches: windows at native scale first, whole padded pictures at the end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linewarden_train.data.samples import GOOD, Label, Sample, Samples
from linewarden_train.training.augment import Augment, augment, window
from linewarden_train.training.paste import Patch, cut_patches, paste


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Grey levels to network input: (x - mean) / std."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Tensors: pictures (B, C, H, W) normalised, defective (B,), mask (B, H, W), annotated (B,)."""

    pictures: Tensor
    defective: Tensor
    mask: Tensor
    annotated: Tensor

    def to(self, device: torch.device) -> "TrainingBatch":
        """Return the batch on that device."""
        return TrainingBatch(
            self.pictures.to(device), self.defective.to(device), self.mask.to(device), self.annotated.to(device)
        )


@dataclass(frozen=True, slots=True)
class DrawSettings:
    """What a batch is made of."""

    whole: int = 16
    """Whole pictures in a batch."""
    side: int | None = None
    """Side of the windows; None trains on whole pictures throughout."""
    windows: int = 32
    """Windows in a batch."""
    window_share: float = 0.7
    """Share of the training in which windows are drawn; whole pictures follow."""
    paste: float = 0.0
    """Share of good windows that get another part's defect."""
    augment: Augment = field(default_factory=Augment)


class Drawer:
    """Draws balanced batches with replacement: half good, classes evenly, groups evenly within a class."""

    def __init__(
        self, samples: Samples, normalisation: Normalisation, settings: DrawSettings, rng: np.random.Generator
    ) -> None:
        self._samples, self._normalisation, self._settings, self._rng = samples, normalisation, settings, rng
        self._weights = sampling_weights(samples.labels)
        self._patches: Sequence[Patch] = []
        if settings.side is not None and settings.paste > 0:
            self._patches = cut_patches(samples, settings.side)

    def draw(self, done: float) -> TrainingBatch:
        """Draw the batch for the share of the training that is ``done``, 0 to 1."""
        settings = self._settings
        in_windows = settings.side is not None and done < settings.window_share
        count = settings.windows if in_windows else settings.whole
        chosen = [self._samples[int(index)] for index in self._rng.choice(len(self._samples), count, p=self._weights)]
        if in_windows and settings.side is not None:
            chosen = [
                self._window(sample, (settings.side, settings.side)) for sample in chosen if sample.mask is not None
            ]
        elif all(sample.mask is not None for sample in chosen):
            chosen = self._of_one_size(chosen)
        return collate(chosen, self._normalisation, settings.augment, self._rng)

    def _window(self, sample: Sample, size: tuple[int, int]) -> Sample:
        """Cut a window, and paste onto some of the good ones."""
        cut = _cut(sample, size, self._settings.augment, self._rng)
        wanted = not cut.label.defective and self._rng.random() < self._settings.paste
        return paste(cut, self._patches, self._rng) if wanted else cut

    def _of_one_size(self, chosen: Sequence[Sample]) -> list[Sample]:
        """Cut whole pictures to the smallest sides among them: padding would teach edges that no part has."""
        sizes = {sample.picture.shape[:2] for sample in chosen}
        if len(sizes) == 1:
            return list(chosen)
        size = (min(height for height, _ in sizes), min(width for _, width in sizes))
        plain = replace(self._settings.augment, turn=0.0, zoom=1.0)
        return [_cut(sample, size, plain, self._rng) for sample in chosen]


def _cut(sample: Sample, size: tuple[int, int], settings: Augment, rng: np.random.Generator) -> Sample:
    """Cut a window and call it good where it shows nothing of the defect; an unannotated picture stays whole."""
    if sample.mask is None:
        return sample
    picture, mask = window(sample.picture, sample.mask, size, settings, rng)
    return Sample(picture, mask, sample.label if mask.any() else Label(GOOD, sample.label.group))


def collate(
    chosen: Sequence[Sample], normalisation: Normalisation, settings: Augment, rng: np.random.Generator
) -> TrainingBatch:
    """Augment, pad to one size (their largest sides, up to a multiple of 32) and stack."""
    changed = [augment(sample.picture, sample.mask, settings, rng) for sample in chosen]
    # the networks need sides divisible by 32
    height, width = (-(-max(plane.shape[axis] for plane, _ in changed) // 32) * 32 for axis in (0, 1))
    planes = [
        cv2.copyMakeBorder(
            np.ascontiguousarray(plane), 0, height - plane.shape[0], 0, width - plane.shape[1], cv2.BORDER_REPLICATE
        )
        for plane, _ in changed
    ]
    pictures = torch.from_numpy(np.stack(planes))
    pictures = pictures[:, None] if pictures.ndim == 3 else pictures.permute(0, 3, 1, 2)
    masks = np.zeros((len(changed), height, width), np.float32)
    for row, (_, mask) in enumerate(changed):
        if mask is not None:
            masks[row, : mask.shape[0], : mask.shape[1]] = mask
    return TrainingBatch(
        pictures=((pictures - normalisation.mean) / normalisation.std).contiguous(memory_format=torch.channels_last),
        defective=torch.tensor([float(sample.label.defective) for sample in chosen]),
        mask=torch.from_numpy(masks),
        annotated=torch.tensor([float(sample.mask is not None or not sample.label.defective) for sample in chosen]),
    )


def sampling_weights(labels: Sequence[Label], good_share: float = 0.5) -> NDArray[np.float64]:
    """Return probabilities by index: ``good_share`` is good; classes evenly, then groups evenly within a class.

    Raises ValueError unless both good and defective pictures exist.
    """
    classes = {label.defect_class for label in labels}
    if GOOD not in classes or len(classes) == 1:
        raise ValueError("training needs good and defective pictures; one of them is missing")
    groups = {kind: {lb.group for lb in labels if lb.defect_class == kind} for kind in classes}
    inside = Counter((label.defect_class, label.group) for label in labels)
    share = {kind: good_share if kind == GOOD else (1 - good_share) / (len(classes) - 1) for kind in classes}
    weights = [
        share[label.defect_class] / (len(groups[label.defect_class]) * inside[label.defect_class, label.group])
        for label in labels
    ]
    return np.asarray(np.divide(weights, np.sum(weights)), np.float64)
