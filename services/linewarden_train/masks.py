"""Masks against the truth at every threshold of a grid, at native size, and the choice among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewarden_vision.prepare import Prepared, restore_logits

Counts = NDArray[np.int64]
GRID = tuple(float(value) for value in np.arange(-3.0, 4.01, 0.5))


@dataclass(frozen=True, slots=True)
class MaskCounts:
    """Pixels of N pictures at the T thresholds of the grid: |P and G| and |P| (N, T), |G| and all (N,).

    -1 for |P and G| and |G| where a defect is not annotated.
    """

    both: Counts
    predicted: Counts
    target: Counts
    total: Counts

    @classmethod
    def stack(cls, rows: Sequence["MaskCounts"]) -> "MaskCounts":
        """Put the counts of several runs one after the other."""
        return cls(
            np.concatenate([row.both for row in rows]),
            np.concatenate([row.predicted for row in rows]),
            np.concatenate([row.target for row in rows]),
            np.concatenate([row.total for row in rows]),
        )

    @property
    def annotated(self) -> NDArray[np.bool_]:
        """Pictures whose truth is known by the pixel (N,)."""
        return self.target >= 0

    def seg_mean_iou(self) -> NDArray[np.float64]:
        """Return Seg_mIoU by threshold (T,): the mean IoU over pictures where prediction or truth is not empty."""
        both, predicted = self.both[self.annotated], self.predicted[self.annotated]
        either = predicted + self.target[self.annotated, None] - both
        return np.asarray((both / np.maximum(either, 1)).sum(0) / np.maximum((either > 0).sum(0), 1))


def count_mask(logits: NDArray[np.float32], prepared: Prepared, truth: NDArray[np.bool_] | None) -> MaskCounts:
    """Count one picture's pixels; ``logits`` cover the whole input, ``truth`` has the native size."""
    both, predicted = [], []
    native = restore_logits(logits, prepared)
    for threshold in GRID:
        found = native >= threshold
        predicted.append(int(found.sum()))
        both.append(-1 if truth is None else int((found & truth).sum()))
    height, width = prepared.native
    return MaskCounts(
        np.asarray([both], np.int64),
        np.asarray([predicted], np.int64),
        np.asarray([-1 if truth is None else int(truth.sum())], np.int64),
        np.asarray([height * width], np.int64),
    )


def choose_mask_threshold(counts: MaskCounts) -> tuple[float, float, int]:
    """Return the logit of the grid with the best Seg_mIoU, that value, and how many pictures stand behind it.

    Empty masks of good pictures count: a threshold that paints good parts pays for it. Raises ValueError
    when no annotated defective picture is there.
    """
    if not (counts.target > 0).any():
        raise ValueError("no annotated defective picture to choose the mask threshold on")
    quality = counts.seg_mean_iou()
    best = int(quality.argmax())
    return GRID[best], float(quality[best]), int(counts.annotated.sum())
