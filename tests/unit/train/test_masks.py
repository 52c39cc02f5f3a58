"""Counting masks at every point of the grid, and choosing among them."""

import numpy as np
import pytest

from linewarden_train.training.masks import GRID, MaskCounts, MaskPoint, choose_mask_point, count_mask
from linewarden_vision.prepare import Prepared, regions


def _prepared(height: int, width: int) -> Prepared:
    size = (height, width)
    return Prepared(np.zeros((height, width, 1), np.uint8), size, size, size, ((0, 0),))


def test_every_point_of_the_grid_counts_the_mask_that_an_inspection_would_show() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (32, 48)).astype(np.float32)
    truth = rng.random((32, 48)) < 0.2
    counts = count_mask(logits, _prepared(32, 48), truth)
    for column, point in enumerate(GRID):
        shown = regions(logits, point.threshold, point.peak)
        assert counts.predicted[0, column] == shown.sum()
        assert counts.both[0, column] == (shown & truth).sum()
    assert counts.target[0] == truth.sum()
    assert len(set(counts.predicted[0].tolist())) > len(GRID) // 2


def test_a_defect_that_nobody_marked_has_no_hits() -> None:
    counts = count_mask(np.zeros((32, 32), np.float32), _prepared(32, 32), None)
    assert (counts.both == -1).all()
    assert not counts.annotated.any()


def test_a_peak_is_chosen_where_it_keeps_good_parts_clean() -> None:
    truth = np.zeros((32, 32), bool)
    truth[4:12, 4:12] = True
    found = np.full((32, 32), -5.0, np.float32)
    found[truth] = 1.2
    found[6, 6] = 4.5
    stained = np.full((32, 32), -5.0, np.float32)
    stained[20:24, 20:24] = 1.4
    prepared = _prepared(32, 32)
    counts = MaskCounts.stack([count_mask(found, prepared, truth), count_mask(stained, prepared, np.zeros_like(truth))])
    point, quality, pictures = choose_mask_point(counts)
    assert (point.peak, quality, pictures) == (2.0, 1.0, 2)
    assert point.threshold <= 1.0
    plain = GRID.index(MaskPoint(point.threshold))
    assert counts.seg_mean_iou()[plain] == pytest.approx(0.5)


def test_without_an_annotated_defect_there_is_nothing_to_choose_on() -> None:
    counts = count_mask(np.zeros((32, 32), np.float32), _prepared(32, 32), np.zeros((32, 32), bool))
    with pytest.raises(ValueError, match="no annotated defective picture"):
        choose_mask_point(counts)
