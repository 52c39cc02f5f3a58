"""Copy-paste: a defect of one training part onto another, so that thin defects are seen on many textures.

What is pasted is the defect's difference from its surroundings, not its pixels, so the new texture stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_train.data.samples import Label, Sample, Samples
from linewarden_train.training.augment import Mask

_RING = 6  # pixels around a defect that are taken for its surroundings


@dataclass(frozen=True, slots=True)
class Patch:
    """A cut-out defect: signed difference from its surroundings (h, w), its mask (h, w), its class."""

    difference: NDArray[np.float32]
    mask: Mask
    label: Label


def cut_patches(samples: Samples, side: int) -> list[Patch]:
    """Cut every annotated grey defect that fits a window of that side; give training groups alone."""
    patches = [_cut(samples[index]) for index, label in enumerate(samples.labels) if label.defective]
    # of a window a defect covers at most a fifth: unevenness is no thing to be pasted
    return [one for one in patches if one and max(one.mask.shape) < side and one.mask.sum() < 0.2 * side * side]


def _cut(sample: Sample) -> Patch | None:
    if sample.mask is None or not sample.mask.any() or sample.picture.ndim != 2:
        return None
    rows, columns = np.nonzero(sample.mask)
    box = (
        slice(max(0, rows.min() - _RING), rows.max() + _RING + 1),
        slice(max(0, columns.min() - _RING), columns.max() + _RING + 1),
    )
    pixels, mask = sample.picture[box].astype(np.float32), sample.mask[box]
    around = ~mask
    level = float(pixels[around].mean()) if around.any() else float(pixels.mean())
    return Patch(pixels - np.float32(level), mask, sample.label)


def paste(sample: Sample, patches: Sequence[Patch], rng: np.random.Generator) -> Sample:
    """Return the good sample with one patch, drawn evenly, flipped and placed at random.

    A sample that is defective, in colour or smaller than the patch comes back as it is.
    """
    if not patches or sample.label.defective or sample.picture.ndim != 2 or sample.mask is None:
        return sample
    patch = patches[int(rng.integers(len(patches)))]
    flips = tuple(slice(None, None, -1 if rng.random() < 0.5 else 1) for _ in range(2))
    difference, mask = patch.difference[flips], patch.mask[flips]
    free = (sample.picture.shape[0] - mask.shape[0], sample.picture.shape[1] - mask.shape[1])
    if min(free) < 0:
        return sample
    top, left = (int(rng.integers(0, extent + 1)) for extent in free)
    place = (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1]))
    blend = cv2.GaussianBlur(cv2.dilate(mask.astype(np.float32), np.ones((3, 3), np.uint8)), (5, 5), 0)
    picture, shown = sample.picture.astype(np.float32), sample.mask.copy()
    picture[place] += blend * difference * np.float32(rng.uniform(0.7, 1.2))
    shown[place] |= mask
    return Sample(np.clip(picture, 0, 255).astype(np.uint8), shown, Label(patch.label.defect_class, sample.label.group))
