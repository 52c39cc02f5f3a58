"""Samples of any size brought to one: shrunk with their aspect if too large, padded by their edge if too small."""

from collections.abc import Sequence

import cv2
import numpy as np

from linewarden_train.data.samples import Label, Sample, Samples


class FittedSamples:
    """The same samples, height x width, fitted as the inspector fits a camera's picture; depth and colour stay."""

    def __init__(self, samples: Samples, height: int, width: int) -> None:
        self._samples, self._height, self._width = samples, height, width
        self.labels: Sequence[Label] = samples.labels

    def __getitem__(self, index: int) -> Sample:
        """Fit one; a shrunken mask keeps every pixel that was at least half defective."""
        sample = self._samples[index]
        height, width = sample.picture.shape[:2]
        scale = min(1.0, self._height / height, self._width / width)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture, mask = sample.picture, sample.mask
        if scale < 1:
            picture = np.asarray(cv2.resize(picture, inner, interpolation=cv2.INTER_AREA))
        if mask is not None and scale < 1:
            share = cv2.resize(mask.astype(np.float32), inner, interpolation=cv2.INTER_AREA)
            mask = np.asarray(share >= 0.5)
        below, right = self._height - inner[1], self._width - inner[0]
        padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
        grown = None if mask is None else np.pad(mask, ((0, below), (0, right)))
        return Sample(np.asarray(padded), grown, sample.label)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self._samples)
