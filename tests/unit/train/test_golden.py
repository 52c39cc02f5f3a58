from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from linewarden_train.data.samples import Label, Sample
from linewarden_train.training.golden import choose_golden
from linewarden_vision.card import Card
from linewarden_vision.inspector import ViewScore
from tests.unit.vision.helpers import small_card

_BLANK = np.zeros((2, 2), np.uint8)


class Listed:
    """Pictures whose first two pixels name their place; sizes, colours and depths differ."""

    def __init__(self, count: int) -> None:
        self.labels: Sequence[Label] = [Label("good", str(place)) for place in range(count)]

    def __getitem__(self, index: int) -> Sample:
        shape = (4 + index % 3, 5, 3) if index % 2 else (4, 5 + index % 4)
        picture = np.full(shape, index, np.uint16 if index % 5 == 0 else np.uint8)
        return Sample(picture, None, self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


class Told:
    """An inspector that says what it is told to."""

    def __init__(self, card: Card, margins: Sequence[float], suspicions: Sequence[float]) -> None:
        self.card = card
        self._said = list(zip(margins, suspicions, strict=True))

    def prepare(self, picture: np.ndarray) -> int:
        return int(picture.flat[0])

    def score(self, batch: Sequence[int]) -> list[ViewScore]:
        blank = np.zeros((2, 2), bool)
        return [ViewScore(0.5, *self._said[place], {}, blank, _BLANK, _BLANK) for place in batch]


def chosen(margins: Sequence[float], suspicions: Sequence[float], **card: float) -> Any:
    inspector: Any = Told(small_card(**card), margins, suspicions)
    return choose_golden(inspector, Listed(len(margins)), each=2)


def test_each_kind_of_answer_is_kept_away_from_the_thresholds() -> None:
    golden = chosen([3, 0.1, -3, -3, -3, 2, 4], [0.9, 0.9, 0.9, 0.51, 0.1, 0.1, 0.1], gate=0.3)
    assert [int(picture.flat[0]) for picture in golden.pictures] == [0, 2, 4, 5]
    assert [(answer.defect, answer.doubtful) for answer in golden.answers][1:3] == [(False, True), (False, False)]


def test_pictures_keep_their_size_colour_and_depth() -> None:
    golden = chosen([3, -3, -3], [0.9, 0.9, 0.1], gate=0.3)
    assert [picture.shape for picture in golden.pictures] == [(4, 5), (5, 5, 3), (4, 7)]
    assert [picture.dtype for picture in golden.pictures] == [np.uint16, np.uint8, np.uint8]


def test_tight_thresholds_are_kept_clear_of_relative_to_the_spread_of_the_scores() -> None:
    golden = chosen([0.1, -0.1, -0.1], [0.5, 0.504, 0.496], gate=0.4)
    assert len(golden.answers) == 3


@pytest.mark.parametrize(
    ("margins", "suspicions", "missing"),
    [
        ([-3, -3, -3], [0.9, 0.9, 0.1], "needs a NG: 0 of 3"),
        ([3, -3, -3], [0.9, 0.1, 0.1], "needs a doubtful OK: 0 of 3"),
        ([3, -3, -3], [0.9, 0.9, 0.5 - 1e-9], "needs a trusted OK: 1 of 3"),
    ],
)
def test_a_missing_kind_is_named_with_how_many_were_too_near(
    margins: list[float], suspicions: list[float], missing: str
) -> None:
    with pytest.raises(ValueError, match=missing):
        chosen(margins, suspicions, gate=0.3)


def test_no_pictures_give_no_golden_set() -> None:
    with pytest.raises(ValueError, match="there are none"):
        chosen([], [])
