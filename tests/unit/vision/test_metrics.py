"""Every number here can be checked by hand on four 2x3 pictures."""

import math

import pytest
import torch
from torch import Tensor

from linewarden_vision.metrics.pixels import (
    DefectIoUByClass,
    PooledIoU,
    SampleMeanIoU,
    SegMeanIoU,
    SegRecall,
    TwoClassPooledMeanIoU,
    count_pixels,
)


def _masks(*rows: str) -> Tensor:
    return torch.tensor([[[c == "x" for c in line] for line in row.split("/")] for row in rows])


# a: half found; b: missed; c: good and clear; d: good with a false alarm
TARGET = _masks("xx./xx.", "x../...", ".../...", ".../...")
PREDICTED = _masks("xx./...", ".../...", ".../...", "..x/...")


def test_pooled_iou_divides_the_sums() -> None:
    metric = PooledIoU()
    metric.update(PREDICTED, TARGET)
    assert float(metric.compute()) == pytest.approx(2 / (4 + 1 + 1))


def test_sample_miou_counts_two_empty_masks_as_one() -> None:
    metric = SampleMeanIoU()
    metric.update(PREDICTED, TARGET)
    assert float(metric.compute()) == pytest.approx((0.5 + 0 + 1 + 0) / 4)


def test_seg_miou_leaves_out_what_is_empty_in_both_and_counts_misses_and_alarms_as_zero() -> None:
    metric = SegMeanIoU()
    metric.update(PREDICTED, TARGET)
    assert float(metric.compute()) == pytest.approx((0.5 + 0 + 0) / 3)


def test_seg_recall_needs_the_verdict_as_well_as_the_pixels() -> None:
    metric = SegRecall()
    metric.update(PREDICTED, TARGET, torch.tensor([True, True, False, True]))
    assert float(metric.compute()) == pytest.approx((0.5 + 0) / 2)
    metric.reset()
    metric.update(PREDICTED, TARGET, torch.tensor([False, True, False, True]))
    assert float(metric.compute()) == 0.0


def test_defect_iou_is_a_mean_by_class_and_says_where_there_is_no_evidence() -> None:
    metric = DefectIoUByClass(["crack", "pore", "stain"])
    metric.update(PREDICTED, TARGET, ["crack", "pore", None, None])
    result = metric.compute()
    assert (result["crack"], result["pore"]) == (0.5, 0.0)
    assert math.isnan(result["stain"])


def test_the_two_class_mean_averages_defect_and_background() -> None:
    metric = TwoClassPooledMeanIoU()
    metric.update(PREDICTED, TARGET)
    assert float(metric.compute()) == pytest.approx((2 / 6 + 18 / 22) / 2)


@pytest.mark.parametrize("metric", [PooledIoU, SampleMeanIoU, SegMeanIoU, TwoClassPooledMeanIoU])
def test_batches_add_up_to_the_whole(metric: type[PooledIoU]) -> None:
    whole, parts = metric(), metric()
    whole.update(PREDICTED, TARGET)
    for row in range(4):
        parts.update(PREDICTED[row : row + 1], TARGET[row : row + 1])
    assert float(parts.compute()) == pytest.approx(float(whole.compute()))


def test_masks_of_unequal_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        PooledIoU().update(PREDICTED, TARGET[:2])


def test_pictures_of_any_size_come_as_a_list() -> None:
    small, large = _masks("xx./xx.")[0], _masks("xxxx/xxxx/..../....")[0]
    found_small, found_large = _masks("xx./...")[0], _masks("xxxx/..../..../....")[0]
    for metric, value in ((PooledIoU(), 6 / 12), (SegMeanIoU(), 0.5), (SampleMeanIoU(), 0.5)):
        metric.update([found_small, found_large], [small, large])
        assert float(metric.compute()) == pytest.approx(value)
    found = SegRecall()
    found.update([found_small, found_large], [small, large], torch.tensor([True, False]))
    assert float(found.compute()) == pytest.approx(0.25)


def test_counted_pixels_give_what_masks_give() -> None:
    whole, counted = TwoClassPooledMeanIoU(), TwoClassPooledMeanIoU()
    whole.update(PREDICTED, TARGET)
    counted.update(count_pixels(PREDICTED, TARGET))
    assert float(whole.compute()) == float(counted.compute())
    assert count_pixels(PREDICTED, TARGET).either.tolist() == [4, 1, 0, 1]


def test_an_odd_pair_in_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        PooledIoU().update([torch.zeros(2, 3, dtype=torch.bool)], [torch.zeros(3, 3, dtype=torch.bool)])
