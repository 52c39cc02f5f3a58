"""Masks against the truth at every point of a grid of thresholds, at native size, and the choice among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_vision.prepare import Prepared, restore_logits

Counts = NDArray[np.int64]
_THRESHOLDS = tuple(float(value) for value in np.arange(-3.0, 4.01, 0.5))


@dataclass(frozen=True, slots=True)
class MaskPoint:
    """A mask is made of the pixels from ``threshold`` on, in regions that reach ``peak`` somewhere (None: in all)."""

    threshold: float
    peak: float | None = None


GRID = tuple(
    MaskPoint(threshold, peak)
    for threshold in _THRESHOLDS
    for peak in (None, *(peak for peak in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0) if peak > threshold))
)


@dataclass(frozen=True, slots=True)
class MaskCounts:
    """Pixels of N pictures at the T points of the grid: |P and G| and |P| (N, T), |G| and all (N,).

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
        """Return Seg_mIoU by point (T,): the mean IoU over pictures where prediction or truth is not empty."""
        both, predicted = self.both[self.annotated], self.predicted[self.annotated]
        either = predicted + self.target[self.annotated, None] - both
        return np.asarray((both / np.maximum(either, 1)).sum(0) / np.maximum((either > 0).sum(0), 1))


def count_mask(logits: NDArray[np.float32], prepared: Prepared, truth: NDArray[np.bool_] | None) -> MaskCounts:
    """Count one picture's pixels; ``logits`` cover the whole input, ``truth`` has the native size."""
    native = restore_logits(logits, prepared)
    by_threshold = {threshold: _Regions.of(native, threshold, truth) for threshold in _THRESHOLDS}
    counted = [by_threshold[point.threshold].at(point.peak) for point in GRID]
    height, width = prepared.native
    return MaskCounts(
        np.asarray([[-1 if truth is None else both for both, _ in counted]], np.int64),
        np.asarray([[predicted for _, predicted in counted]], np.int64),
        np.asarray([-1 if truth is None else int(truth.sum())], np.int64),
        np.asarray([height * width], np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Regions:
    """Regions of one picture above one threshold: the strongest logit, the pixels and the true ones of each (R,)."""

    peak: NDArray[np.float32]
    area: Counts
    true: Counts

    @classmethod
    def of(cls, native: NDArray[np.float32], threshold: float, truth: NDArray[np.bool_] | None) -> "_Regions":
        found = native >= threshold
        count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
        inside = labels[found]
        peak = np.full(count, -np.inf, np.float32)
        np.maximum.at(peak, np.asarray(inside, np.int64), native[found])
        true = inside if truth is None else labels[found & truth]
        return cls(peak, np.bincount(inside, minlength=count), np.bincount(true, minlength=count))

    def at(self, peak: float | None) -> tuple[int, int]:
        """Return |P and G| and |P| with the regions that reach ``peak`` alone."""
        kept = self.peak >= (-np.inf if peak is None else peak)
        return int(self.true[kept].sum()), int(self.area[kept].sum())


def choose_mask_point(counts: MaskCounts) -> tuple[MaskPoint, float, int]:
    """Return the point of the grid with the best Seg_mIoU, that value, and how many pictures stand behind it.

    Empty masks of good pictures count: a threshold that paints good parts pays for it. Raises ValueError
    when no annotated defective picture is there.
    """
    if not (counts.target > 0).any():
        raise ValueError("no annotated defective picture to choose the mask threshold on")
    quality = counts.seg_mean_iou()
    best = int(quality.argmax())
    return GRID[best], float(quality[best]), int(counts.annotated.sum())
