from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from linewarden_vision.bundle import read_bundle, write_bundle
from linewarden_vision.errors import BundleError, GateError, ScoresNotFinite, UnusablePicture
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from tests.unit.vision.helpers import (
    SIZE,
    golden_of,
    middle_margin,
    pictures,
    small_card,
    small_network,
    write_small_bundle,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bundle") / "b"
    write_small_bundle(made)
    return made


@pytest.fixture(scope="module")
def inspector(folder: Path) -> Inspector:
    return Inspector.load(folder, device="cpu")


def test_a_loaded_inspector_repeats_the_golden_answers(folder: Path, inspector: Inspector) -> None:
    assert inspector.digest == read_bundle(folder).digest
    assert (inspector.device, inspector.precision) == ("cpu", "float32")
    assert inspector.gate.margin_deviation < 1e-3


def test_a_score_has_native_masks_and_maps_on_the_fixed_scale(inspector: Inspector) -> None:
    native = [np.ascontiguousarray(picture[:70, :60]) for picture in pictures(3)] + pictures(1, size=200)
    scores = inspector.score([inspector.prepare(picture) for picture in native])
    for picture, score in zip(native, scores, strict=True):
        assert score.mask.shape == picture.shape
        assert score.mask.dtype == np.bool_
        cells = tuple(-(-side // 8) for side in picture.shape)
        assert score.class_specific.shape == score.class_agnostic.shape == cells
        assert score.class_specific.dtype == np.uint8
        assert 0 <= score.suspicion <= 1
        assert score.p_defect == pytest.approx(1 / (1 + np.exp(-score.margin)))
        assert {"agreement", "mask_evidence"} <= set(score.ingredients)


def test_a_mask_keeps_the_regions_that_reach_the_cards_peak() -> None:
    card, network = small_card(), small_network()
    shown = pictures(1)

    def mask(peak: float | None) -> np.ndarray:
        low = card.thresholds.mask.model_copy(update={"value": -20.0})
        limits = card.thresholds.model_copy(update={"mask": low, "mask_peak": peak})
        inspector = Inspector(card.model_copy(update={"thresholds": limits}), network)
        return inspector.score([inspector.prepare(shown[0])])[0].mask

    assert mask(None).all()
    assert mask(-19.0).all()
    assert not mask(20.0).any()


def test_a_picture_scores_alone_as_in_company(inspector: Inspector) -> None:
    prepared = [inspector.prepare(picture) for picture in pictures(6)]
    for together, single in zip(inspector.score(prepared), prepared, strict=True):
        alone = inspector.score([single])[0]
        assert together.margin == pytest.approx(alone.margin, abs=1e-4)
        assert together.suspicion == pytest.approx(alone.suspicion, abs=1e-3)
        assert (together.mask == alone.mask).mean() > 0.999


def test_sixteen_bits_and_three_equal_channels_score_as_eight_bits(inspector: Inspector) -> None:
    picture = pictures(1)[0]
    variants: list[np.ndarray] = [picture, picture.astype(np.uint16) * 257, np.repeat(picture[:, :, None], 3, axis=2)]
    margins = [score.margin for score in inspector.score([inspector.prepare(v) for v in variants])]
    assert margins == pytest.approx([margins[0]] * 3, abs=1e-2)


def test_no_pictures_give_no_scores(inspector: Inspector) -> None:
    assert inspector.score([]) == []


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (np.zeros((SIZE, SIZE), np.uint8), "brightness"),
        (np.full((SIZE, SIZE), 255, np.uint8), "brightness"),
        (np.full((SIZE, SIZE), 120, np.uint8), "contrast"),
        (np.zeros((0, SIZE), np.uint8), "shape"),
        (np.zeros((SIZE, SIZE, 4), np.uint8), "shape"),
        (np.zeros((SIZE, SIZE, 2), np.uint16), "shape"),
        (np.zeros((SIZE, SIZE), np.float32), "dtype"),
    ],
)
def test_a_picture_that_cannot_be_judged_says_why(inspector: Inspector, picture: np.ndarray, reason: str) -> None:
    with pytest.raises(UnusablePicture) as caught:
        inspector.prepare(picture)
    assert caught.value.reason == reason


def test_a_flipped_golden_verdict_keeps_the_bundle_from_starting(tmp_path: Path) -> None:
    network = small_network()
    card = small_card(defect=middle_margin(network))
    golden = golden_of(card, network)
    first = golden.answers[0]
    wrong = [first.model_copy(update={"defect": not first.defect}), *golden.answers[1:]]
    write_bundle(tmp_path / "b", card, network.state_dict(), replace(golden, answers=wrong))
    with pytest.raises(GateError, match="flips golden picture 0"):
        Inspector.load(tmp_path / "b", device="cpu")


def test_a_flipped_doubt_about_a_pass_keeps_the_bundle_from_starting(tmp_path: Path) -> None:
    network, card = small_network(), small_card(defect=1e6)
    golden = golden_of(card, network)
    wrong = [answer.model_copy(update={"doubtful": not answer.doubtful}) for answer in golden.answers]
    write_bundle(tmp_path / "b", card, network.state_dict(), Golden(golden.pictures, wrong))
    with pytest.raises(GateError):
        Inspector.load(tmp_path / "b", device="cpu")


def test_scores_that_are_no_numbers_are_raised_and_never_read_as_a_pass() -> None:
    network, card = small_network(), small_card(defect=1e6)
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    inspector = Inspector(card, network)
    with pytest.raises(ScoresNotFinite):
        inspector.score([inspector.prepare(pictures(1)[0])])


def test_not_a_number_is_a_defect_and_a_doubt() -> None:
    limits = small_card().thresholds
    assert limits.is_defect(float("nan"))
    assert limits.is_doubtful(float("nan"))
    assert limits.is_doubtful(limits.suspicion.value)
    assert not limits.is_defect(limits.defect.value)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    network, card = small_network(), small_card()
    state = {name: value for name, value in network.state_dict().items() if "head" not in name}
    write_bundle(tmp_path / "b", card, state, golden_of(card, network))
    with pytest.raises(BundleError, match="don't fit"):
        Inspector.load(tmp_path / "b", device="cpu")


def test_an_unknown_precision_or_an_absent_device_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="not one of auto"):
        Inspector.load(folder, device="cpu", precision="int3")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="not there"):
            Inspector.load(folder, device="cuda")


@pytest.mark.gpu
def test_the_gate_passes_on_the_gpu_and_says_in_which_precision(folder: Path) -> None:
    inspector = Inspector.load(folder, device="cuda")
    assert inspector.precision in {"bfloat16", "float16", "float32"}
