from collections.abc import Sequence

import numpy as np
import pytest

from linewarden_train.data.samples import GOOD, Label, Sample, Samples
from linewarden_train.data.sides import side, sides_of


class _Labels:
    def __init__(self, labels: Sequence[Label]) -> None:
        self.labels = labels

    def __getitem__(self, index: int) -> Sample:
        return Sample(np.zeros((8, 8), np.uint8), None, self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


def _labels(split: str, count: int, kinds: Sequence[str] = (GOOD, "crack")) -> list[Label]:
    return [Label(kinds[i % len(kinds)], f"{split}-{i}", f"{split}/{i}", split) for i in range(count)]


def _groups(samples: Samples) -> set[str]:
    return {label.group for label in samples.labels}


def test_a_set_with_three_sides_keeps_them() -> None:
    samples = _Labels([*_labels("train", 8), *_labels("calibration", 4), *_labels("test", 4)])
    sides = sides_of(samples)
    assert sides.own == ("calibration", "test", "train")
    assert _groups(sides.calibration) == {f"calibration-{i}" for i in range(4)}


def test_a_set_with_train_and_test_keeps_its_test_and_calibrates_out_of_train() -> None:
    samples = _Labels([*_labels("train", 12), *_labels("test", 6)])
    sides = sides_of(samples)
    assert _groups(sides.test) == {f"test-{i}" for i in range(6)}
    assert len(sides.train) == 8
    assert _groups(sides.train) | _groups(sides.calibration) == {f"train-{i}" for i in range(12)}
    assert {label.defective for label in sides.calibration.labels} == {True, False}


@pytest.mark.parametrize("splits", [("", ""), ("train", "test")])
def test_a_set_without_sides_or_with_good_parts_alone_in_train_is_dealt_as_a_whole(splits: tuple[str, str]) -> None:
    samples = _Labels([*_labels(splits[0], 20, (GOOD,)), *_labels(splits[1], 20, ("crack",))])
    if splits[0] == splits[1]:
        samples = _Labels([Label(lb.defect_class, f"{lb.defect_class}{lb.group}") for lb in samples.labels])
    sides = sides_of(samples)
    assert sides.own == ()
    assert (len(sides.train), len(sides.calibration), len(sides.test)) == (20, 10, 10)
    for part in (sides.train, sides.calibration, sides.test):
        assert {label.defective for label in part.labels} == {True, False}


def test_a_group_on_two_of_the_sets_own_sides_is_refused() -> None:
    torn = [Label("crack", "train-0", "x", "test"), *_labels("test", 3)]
    with pytest.raises(ValueError, match="both sides of the split: train-0"):
        sides_of(_Labels([*_labels("train", 8), *torn, *_labels("calibration", 4)]))


def test_every_command_gets_the_same_side_and_an_unknown_one_is_named() -> None:
    samples = _Labels([Label(kind, f"{kind}{i}") for kind in (GOOD, "crack") for i in range(20)])
    assert _groups(side(samples, "test")) == _groups(sides_of(samples).test)
    with pytest.raises(ValueError, match="no split 'validation'"):
        side(samples, "validation")
