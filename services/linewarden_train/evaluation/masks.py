"""Mask figures from pixel counts, by the metrics of linewarden_vision."""

import numpy as np
import torch

from linewarden_train.evaluation.cohort import Cohort, Index, finite
from linewarden_train.evaluation.results import ClassFigure, MaskFigures
from linewarden_train.evaluation.scored import Flags
from linewarden_vision.metrics.pixels import (
    DefectIoUByClass,
    PixelCounts,
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
    pooled, sample, seg, two_class = (finite(float(metric.compute())) for metric in plain)
    return MaskFigures(
        size=cohort.size_of(rows),
        unannotated=int((scored.pixels.total < 0).sum()),
        pooled_iou=pooled,
        sample_miou=sample,
        seg_miou=seg,
        seg_recall=_seg_recall(cohort, rows),
        two_class_pooled_miou=two_class,
        by_class=_by_class(cohort, annotated),
    )


def _by_class(cohort: Cohort, annotated: Flags) -> list[ClassFigure]:
    classes = np.asarray([label.defect_class if label.defective else "" for label in cohort.scored.labels])
    names = sorted(set(classes.tolist()) - {""})
    overlap = DefectIoUByClass(names)
    rows = np.flatnonzero(annotated)
    overlap.update(_counts(cohort, rows), None, [str(name) or None for name in classes[rows]])
    ious = overlap.compute()
    found = []
    for name in names:
        chosen = classes == name
        found.append(
            ClassFigure(
                defect_class=name,
                size=cohort.size_of(np.flatnonzero(chosen)),
                miss_rate_of_defects=cohort.share_of_groups(cohort.scored.passed, chosen),
                defect_iou=finite(ious[name]),
                seg_recall=_seg_recall(cohort, np.flatnonzero(chosen & annotated)),
                annotated=int((chosen & annotated).sum()),
            )
        )
    return found


def _seg_recall(cohort: Cohort, rows: Index) -> float | None:
    metric = SegRecall()
    metric.update(_counts(cohort, rows), None, torch.from_numpy(cohort.scored.rejected[rows]))
    return finite(float(metric.compute()))


def _counts(cohort: Cohort, rows: Index) -> PixelCounts:
    pixels = cohort.scored.pixels
    columns = (pixels.both, pixels.predicted, pixels.target, pixels.total)
    return PixelCounts(*(torch.from_numpy(np.ascontiguousarray(column[rows])) for column in columns))
