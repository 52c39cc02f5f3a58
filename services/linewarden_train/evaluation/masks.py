"""Mask figures from pixel counts, by the metrics of linewarden_vision."""

from collections.abc import Sequence

import numpy as np
import torch

from linewarden_train.evaluation.cohort import Cohort, Index
from linewarden_train.evaluation.endpoint import size_of
from linewarden_train.evaluation.results import ClassFigure, MaskFigures
from linewarden_train.evaluation.verdicts import group_share
from linewarden_vision.metrics.counts import PixelCounts
from linewarden_vision.metrics.pixels import (
    DefectIoUByClass,
    PooledIoU,
    SampleMeanIoU,
    SegMeanIoU,
    SegRecall,
    TwoClassPooledMeanIoU,
)


def mask_figures(cohort: Cohort) -> MaskFigures:
    """Measure masks of annotated, decidable pictures; the others are counted."""
    scored = cohort.scored
    annotated = (scored.pixels.total >= 0) & scored.decidable
    rows = np.flatnonzero(annotated)
    counts = _counts(cohort, rows)
    plain = [PooledIoU(), SampleMeanIoU(), SegMeanIoU(), TwoClassPooledMeanIoU()]
    for metric in plain:
        metric.update(counts)
    pooled, sample, seg, two_class = (_value(metric.compute()) for metric in plain)
    return MaskFigures(
        size=size_of(cohort, rows),
        unannotated=int((scored.pixels.total < 0).sum()),
        pooled_iou=pooled,
        sample_miou=sample,
        seg_miou=seg,
        seg_recall=_seg_recall(cohort, rows),
        two_class_pooled_miou=two_class,
        by_class=_by_class(cohort, annotated),
    )


def _by_class(cohort: Cohort, annotated: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[ClassFigure]:
    classes = np.asarray([label.defect_class if label.defective else "" for label in cohort.scored.labels])
    names = sorted(set(classes.tolist()) - {""})
    overlap = DefectIoUByClass(names)
    rows = np.flatnonzero(annotated)
    overlap.update(_counts(cohort, rows), None, [str(name) or None for name in classes[rows]])
    ious = overlap.compute()
    return [_class_figure(cohort, name, classes == name, annotated, ious[name]) for name in names]


def _class_figure(
    cohort: Cohort,
    name: str,
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]],
    annotated: np.ndarray[tuple[int], np.dtype[np.bool_]],
    iou: float,
) -> ClassFigure:
    return ClassFigure(
        defect_class=name,
        size=size_of(cohort, np.flatnonzero(chosen)),
        miss_rate_of_defects=group_share(cohort, cohort.scored.passed, chosen),
        defect_iou=_value(iou),
        seg_recall=_seg_recall(cohort, np.flatnonzero(chosen & annotated)),
        annotated=int((chosen & annotated).sum()),
    )


def _seg_recall(cohort: Cohort, rows: Index) -> float | None:
    metric = SegRecall()
    metric.update(_counts(cohort, rows), None, torch.from_numpy(cohort.scored.rejected[rows]))
    return _value(metric.compute())


def _counts(cohort: Cohort, rows: Index) -> PixelCounts:
    pixels = cohort.scored.pixels
    columns: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]] = [
        pixels.both[rows],
        pixels.predicted[rows],
        pixels.target[rows],
        pixels.total[rows],
    ]
    return PixelCounts(*(torch.from_numpy(np.ascontiguousarray(column)) for column in columns))


def _value(value: float | torch.Tensor) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
