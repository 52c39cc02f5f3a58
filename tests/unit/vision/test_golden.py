import io
from pathlib import Path

import numpy as np
import pytest

from linewarden_vision.bundle import read_bundle, write_bundle
from linewarden_vision.errors import BundleError
from linewarden_vision.golden import Golden, GoldenAnswer
from linewarden_vision.inspector import Inspector
from tests.unit.vision.helpers import SIZE, pictures, small_card, small_network

ANSWER = GoldenAnswer(margin=0.5, suspicion=0.25, defect=True, doubtful=False)


def mixed() -> list[np.ndarray]:
    grey = pictures(1, size=160)[0]
    return [
        grey[:90, :77],
        np.repeat(grey[:SIZE, :SIZE, None], 3, axis=2),
        grey.astype(np.uint16) * 257,
        grey[:SIZE, :SIZE],
    ]


def packed(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=True, **arrays)
    return file.getvalue()


def again(golden: Golden) -> Golden:
    files = golden.to_files()
    return Golden.from_files(files["golden.npz"], files["golden.json"])


def test_pictures_of_unequal_size_colour_and_depth_come_back_as_they_were() -> None:
    golden = Golden(mixed(), [ANSWER] * 4)
    back = again(golden)
    assert back.answers == golden.answers
    for before, after in zip(golden.pictures, back.pictures, strict=True):
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
    assert golden.to_files() == Golden(mixed(), [ANSWER] * 4).to_files()


def test_pictures_that_are_alike_are_one_stack_whichever_way_they_were_given() -> None:
    shown = pictures(3)
    stacked, listed = (Golden(given, [ANSWER] * 3).to_files() for given in (np.stack(shown), shown))
    assert stacked == listed
    with np.load(io.BytesIO(stacked["golden.npz"])) as archive:
        assert list(archive) == ["pictures"]


@pytest.mark.parametrize(
    "npz",
    [
        packed(pictures=np.zeros((2, 8, 8), np.float32)),
        packed(pictures=np.zeros((1, 8, 8), np.uint8)),
        packed(picture_0000=np.zeros((8, 8), np.uint8), picture_0002=np.zeros((8, 8), np.uint8)),
        packed(pictures=np.asarray([{"a": 1}, {}], object)),
        b"PK no archive",
        b"",
    ],
)
def test_a_golden_set_that_does_not_fit_its_answers_is_refused(npz: bytes) -> None:
    answers = Golden(pictures(2), [ANSWER] * 2).to_files()["golden.json"]
    with pytest.raises(BundleError):
        Golden.from_files(npz, answers)


def test_a_bundle_is_gated_on_golden_pictures_of_unequal_size_colour_and_depth(tmp_path: Path) -> None:
    network, card = small_network(), small_card()
    inspector = Inspector(card, network)
    limits = card.thresholds
    answers = [
        GoldenAnswer(
            margin=score.margin,
            suspicion=score.suspicion,
            defect=limits.is_defect(score.margin),
            doubtful=limits.is_doubtful(score.suspicion),
        )
        for score in inspector.score([inspector.prepare(picture) for picture in mixed()])
    ]
    write_bundle(tmp_path / "b", card, network.state_dict(), Golden(mixed(), answers))
    assert len(read_bundle(tmp_path / "b").golden.pictures) == 4
    assert Inspector.load(tmp_path / "b", device="cpu").gate.margin_deviation < 1e-3
