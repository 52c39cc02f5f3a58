"""Pictures of one thing are found, and no group is ever on two sides."""

from collections import Counter

import cv2
import numpy as np
import pytest

from linewarden_train.data.groups import by_split, check_apart, mixed_groups, split_set, torn_groups, with_groups
from linewarden_train.data.near_duplicates import group_alike, regrouped, thumbnail, thumbnails_of
from linewarden_train.data.overview import agreement, counted
from linewarden_train.data.samples import GOOD, Label, Picture, Sample

RNG = np.random.default_rng(0)


class Memory:
    """Samples held in memory."""

    def __init__(self, pictures: list[Picture], labels: list[Label]) -> None:
        self.pictures, self.labels = pictures, labels

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.pictures[index], None, self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


def _picture() -> Picture:
    coarse = RNG.integers(0, 255, (15, 20)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC))


def _again(picture: Picture) -> Picture:
    """The same thing under other light, with noise, as colour at another size."""
    light = picture * np.linspace(0.7, 1.0, picture.shape[1]) + RNG.normal(0, 5, picture.shape)
    grey = cv2.resize(np.clip(light, 0, 255).astype(np.uint8), (80, 60), interpolation=cv2.INTER_AREA)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _twins() -> Memory:
    first, second = _picture(), _picture()
    flat: Picture = np.full((30, 40), 9, np.uint8)
    pictures = [first, second, _again(first), flat, flat]
    kinds = [GOOD, GOOD, "crack", GOOD, GOOD]
    splits = ["train", "train", "test", "train", "test"]
    rows = enumerate(zip(kinds, splits, strict=True))
    return Memory(pictures, [Label(kind, f"g{i}", f"{i}.png", split) for i, (kind, split) in rows])


def test_near_duplicates_are_joined_whatever_the_light_and_flat_pictures_are_not() -> None:
    samples = _twins()
    assert group_alike(thumbnails_of(samples)).tolist() == [0, 1, 0, 2, 3]
    found = with_groups(samples, regrouped(samples, group_alike(thumbnails_of(samples))))
    assert [label.group for label in found.labels] == ["0.png", "1.png", "0.png", "3.png", "4.png"]
    assert mixed_groups(found.labels) == ["0.png"]
    assert torn_groups(found) == {"0.png": ["test", "train"]}
    assert found[2].label == found.labels[2]


def test_pairs_of_pairs_are_one_group_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linewarden_train.data.near_duplicates._BLOCK", 2)
    angles = np.deg2rad([0, 90, 20, 180, 40])
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert group_alike(unit, 0.93).tolist() == [0, 1, 0, 2, 0]
    assert group_alike(unit, 0.99).tolist() == [0, 1, 2, 3, 4]
    assert group_alike(unit[:0]).size == 0
    with pytest.raises(ValueError, match="correlation threshold"):
        group_alike(unit, 0)


def test_a_thumbnail_does_not_see_light_or_size() -> None:
    picture = _picture()
    assert thumbnail(picture) @ thumbnail(_again(picture)) > 0.9
    assert abs(thumbnail(picture) @ thumbnail(_picture())) < 0.3


def test_groups_found_are_compared_with_those_of_the_set() -> None:
    samples = Memory([], [Label(GOOD, group) for group in "aab"])
    assert agreement(samples, ["x", "y", "y"]) == {
        "groups of the set": 2,
        "pairs in both": 0,
        "pairs found alone": 1,
        "pairs of the set alone": 1,
    }
    assert agreement(_twins(), ["x"] * 5) == {}


def _many() -> Memory:
    kinds = [GOOD] * 60 + ["crack"] * 12 + ["pore"]
    labels = [Label(kind, f"{kind}-{index // 3}", f"{index}") for index, kind in enumerate(kinds)]
    return Memory([], [*labels, Label(GOOD, labels[60].group, "clean view")])


@pytest.mark.parametrize("seed", range(4))
def test_a_split_keeps_groups_whole_and_classes_in_proportion(seed: int) -> None:
    samples = _many()
    sides = split_set(samples, {"train": 0.5, "calibration": 0.25, "test": 0.25}, seed)
    assert sum(len(side) for side in sides.values()) == len(samples)
    check_apart(sides["train"], sides["test"])
    check_apart(sides["train"], sides["calibration"])
    check_apart(sides["calibration"], sides["test"])
    groups = {name: Counter(g.split("-")[0] for g in {lb.group for lb in side.labels}) for name, side in sides.items()}
    assert groups["train"] == {GOOD: 10, "crack": 2, "pore": 1}
    assert groups["test"] == groups["calibration"] == {GOOD: 5, "crack": 1}


def test_a_split_repeats_with_its_seed_and_differs_with_another() -> None:
    def members(seed: int) -> list[int]:
        return split_set(_many(), {"train": 0.5, "test": 0.5}, seed)["test"].indices

    assert members(1) == members(1)
    assert members(1) != members(2)


@pytest.mark.parametrize("shares", [{}, {"train": 0.5}, {"train": 1.5, "test": -0.5}])
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        split_set(_many(), shares, 0)


def test_an_empty_side_and_a_missing_split_are_refused() -> None:
    lone = Memory([], [Label(GOOD, "a", "a", "train")])
    with pytest.raises(ValueError, match="1 groups leave nothing for test"):
        split_set(lone, {"train": 0.5, "test": 0.5}, 0)
    assert len(by_split(lone, "train")) == 1
    with pytest.raises(ValueError, match="no split 'test'; it has train"):
        by_split(lone, "test")


def test_counts_are_by_class_and_side() -> None:
    rows = counted(_twins())
    assert rows == [
        {"class": "crack", "pictures": 1, "groups": 1, "test": 1, "train": 0},
        {"class": "good", "pictures": 4, "groups": 4, "test": 1, "train": 3},
        {"class": "all", "pictures": 5, "groups": 5, "test": 2, "train": 3},
    ]
