"""What is judged is the picture, what hangs together the group; what a set lacks is said before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.training.bundle import _check_kinds, _used_groups
from linewarden_train.training.scoring import RawScores
from linewarden_train.training.terms import NamedSamples, TeachingSets, TeachSettings
from tests.unit.train.proving import Pictures

SETTINGS = TeachSettings(name="t", date="2026-01-01", code_version="0", encoder="e", folds=2)


def labels(items: int, sides: int = 4, **more: str) -> list[Label]:
    """Items of several pictures, each with one defect on one of them."""
    return [
        Label("crack" if side == item % sides else GOOD, f"item{item}", f"i{item}s{side}.png", **more)
        for item in range(items)
        for side in range(sides)
    ]


def named(name: str, given: Sequence[Label]) -> NamedSamples:
    made = Pictures([])
    made.labels = list(given)
    return NamedSamples(name, made)


def sets(teaching: Sequence[Label], calibration: Sequence[Label]) -> TeachingSets:
    other = named("calibration", calibration)
    return TeachingSets(teaching=named("train", teaching), calibration=other, thresholds=other, golden=other)


def scores(given: Sequence[Label]) -> RawScores:
    nothing = np.zeros(len(given))
    return RawScores({"margin": nothing}, nothing, nothing, list(given))


def test_a_clean_picture_of_an_item_with_a_flaw_elsewhere_is_good() -> None:
    given = labels(3)
    assert scores(given).good.tolist() == [not label.defective for label in given]


def test_a_clean_view_of_one_part_with_a_defect_is_neither_good_nor_defective() -> None:
    assert not scores([replace(label, part=label.group) for label in labels(3)]).good.any()
    assert not scores([Label("crack", "a"), Label(GOOD, "a")]).good.any()


def test_a_set_in_which_every_group_holds_a_defect_can_be_trained_on() -> None:
    given = sets(labels(12), labels(6))
    _check_kinds(given, SETTINGS)
    assert set(_used_groups([given.teaching, given.calibration], goods_only=True)) == {f"item{n}" for n in range(12)}


@pytest.mark.parametrize(
    ("teaching", "calibration", "words"),
    [
        (labels(12), labels(2), "calibration holds 6 good and 2 defective pictures; 10 and 0"),
        (labels(12), [], "calibration holds 0 good"),
        ([label for label in labels(12) if not label.defective], labels(6), "train holds 36 good and 0 defective"),
        (labels(4), labels(6), "a fold of train holds 6 good"),
        ([replace(one, part=one.group) for one in labels(12)], labels(6), "train holds 0 good"),
    ],
)
def test_what_a_set_cannot_carry_is_said_before_the_first_step(
    teaching: Sequence[Label], calibration: Sequence[Label], words: str
) -> None:
    with pytest.raises(ValueError, match="pictures") as refused:
        _check_kinds(sets(teaching, calibration), SETTINGS)
    assert words in str(refused.value)
