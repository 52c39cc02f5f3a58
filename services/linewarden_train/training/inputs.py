"""Samples as the network will see them, and the picture specification that a set asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from linewarden_train.data.samples import Label, Sample, Samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.prepare import prepare_picture


@dataclass(frozen=True, slots=True)
class InputSettings:
    """Scale of the input to the picture, and the largest input before a picture is cut into tiles (pixels)."""

    scale: float = 1.0
    most: int = 640
    overlap: int = 64
    levels: float | None = None


class InputSamples:
    """The same samples at the bundle's scale, on the 0 to 255 scale, in its channels, without padding.

    A mask that shrinks keeps every pixel that was at least half defective. Raises UnusablePicture for
    what the inspector would not judge.
    """

    def __init__(self, samples: Samples, spec: PictureSpec) -> None:
        self._samples, self._spec = samples, spec
        self.labels: Sequence[Label] = samples.labels

    def __getitem__(self, index: int) -> Sample:
        """Bring one to the input."""
        sample = self._samples[index]
        prepared = prepare_picture(sample.picture, self._spec)
        height, width = prepared.inner
        picture = prepared.pixels[:height, :width]
        mask = sample.mask
        if mask is not None and prepared.inner != prepared.native:
            share = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
            mask = np.asarray(share >= 0.5)
        grey = np.round(picture[:, :, 0] if self._spec.channels == 1 else picture)
        return Sample(grey.astype(np.uint8), mask, sample.label)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self._samples)


def picture_spec(samples: Samples, settings: InputSettings) -> PictureSpec:
    """Normalise by the set's own grey levels; exposure limits lie well outside what it holds.

    Pictures are stretched by at most 16 pixels a side to multiples of 32, never padded. Colour is kept if any
    picture has it.
    """
    channels = 3 if any(samples[index].picture.ndim == 3 for index in range(len(samples))) else 1
    whole = PictureSpec(
        height=32, width=32, channels=1, mean=0.0, std=1.0, brightness=(-1.0, 256.0), contrast=(-1.0, 256.0)
    )
    every = whole.model_copy(
        update={"channels": channels, "scale": settings.scale, "levels": settings.levels, "pad": "stretch"}
    )
    means, deviations, sizes = [], [], []
    for index in range(len(samples)):
        prepared = prepare_picture(samples[index].picture, every)
        inside = prepared.pixels[: prepared.inner[0], : prepared.inner[1]]
        means.append(float(inside.mean()))
        deviations.append(float(inside.std()))
        sizes.append(prepared.inner)
    height, width = (
        -(-min(max(size[axis] for size in sizes), settings.most) // 32) * 32  # up to a multiple of 32
        for axis in (0, 1)
    )
    return PictureSpec(
        height=height,
        width=width,
        channels=1 if channels == 1 else 3,
        mean=round(float(np.mean(means)), 2),
        std=round(max(1.0, float(np.mean(deviations))), 2),
        brightness=(round(min(means) * 0.6, 1), round(max(*means, min(250.0, max(means) * 1.4)), 1)),
        contrast=(round(min(deviations) * 0.5, 1), round(max(deviations) * 1.5, 1)),
        scale=settings.scale,
        overlap=settings.overlap,
        pad="stretch",
        levels=settings.levels,
    )
