"""An ONNX file repeats its bundle's golden answers, or is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from linewarden_vision.bundle import Bundle, read_bundle, write_bundle
from linewarden_vision.card import Card
from linewarden_vision.errors import GateError, UnusablePicture
from linewarden_vision.export.checking import check_export, unfit_pictures
from linewarden_vision.export.graph import Doubt, ExportedPass
from linewarden_vision.export.onnx_file import export_bundle
from linewarden_vision.inspector import Inspector
from linewarden_vision.prepare import prepare_picture
from tests.unit.vision.helpers import SIZE, golden_of, middle_margin, pictures, small_card, small_network

onnx = pytest.importorskip("onnx", reason="needs the extra 'export'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'export'")

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "judge_onnx.py"


def made(folder: Path, card: Card) -> Bundle:
    network = small_network()
    write_bundle(folder, card, network.state_dict(), golden_of(card, network))
    return read_bundle(folder)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    card = small_card(defect=middle_margin(small_network()), suspicion=0.3, gate=0.25)
    return made(tmp_path_factory.mktemp("export") / "b", card)


@pytest.fixture(scope="module")
def model(bundle: Bundle) -> bytes:
    return export_bundle(bundle)[0]


def natives(count: int, size: int = SIZE) -> np.ndarray:
    return np.full((count, 2), size, np.int64)


def tampered(model: bytes, change: Callable[[np.ndarray], np.ndarray], name: str) -> bytes:
    loaded = onnx.load_from_string(model)
    for tensor in loaded.graph.initializer:
        if name in tensor.name:
            tensor.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(tensor)), tensor.name))
    return bytes(loaded.SerializeToString())


def test_the_file_says_what_the_bundle_says_for_any_batch(bundle: Bundle, model: bytes) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    inspector = Inspector.from_bundle(bundle, "cpu")
    for count in (1, 3):
        shown = [inspector.prepare(picture) for picture in pictures(count)]
        stacked = np.stack([one.pixels[:, :, 0][None].astype(np.float32) for one in shown])
        margins, suspicions, undecidable, cells, agnostic, logits = session.run(
            None, {"pictures": stacked, "native_size": natives(count)}
        )
        for place, score in enumerate(inspector.score(shown)):
            assert margins[place] == pytest.approx(score.margin, abs=1e-3)
            assert undecidable[place] == Doubt.NONE
            if not {"agreement_enhanced"} & set(score.ingredients) and score.suspicion < 0.25:
                assert suspicions[place] == pytest.approx(score.suspicion, abs=1e-3)
            scale = bundle.card.map_scales
            shown_cells = np.clip(np.maximum(cells[place], 0) / scale.class_specific * 255, 0, 255)
            assert np.abs(shown_cells - score.class_specific).max() <= 1
            assert (
                np.abs(np.clip(agnostic[place] / scale.class_agnostic * 255, 0, 255) - score.class_agnostic).max() <= 1
            )
            assert logits[place].shape == (48, 48)


def test_the_report_says_what_the_gate_covers(bundle: Bundle, model: bytes) -> None:
    report = check_export(model, bundle)
    assert report.pictures == len(bundle.golden.answers)
    assert report.margin_deviation < 1e-3
    assert "second look" in report.covers
    meta = {entry.key: entry.value for entry in onnx.load_from_string(model).metadata_props}
    assert bundle.digest in meta["linewarden"]


def test_half_precision_with_broken_weights_is_refused(bundle: Bundle, model: bytes) -> None:
    broken = tampered(model, lambda weight: (-weight).astype(np.float16).astype(np.float32), "direction")
    assert broken != model
    with pytest.raises(GateError, match="flips golden picture"):
        check_export(broken, bundle)


def test_weights_that_are_no_numbers_are_refused(bundle: Bundle, model: bytes) -> None:
    with pytest.raises(GateError, match="not finite"):
        check_export(tampered(model, lambda weight: np.full_like(weight, np.nan), "direction"), bundle)


def test_a_file_that_trusts_what_the_bundle_doubts_is_refused(bundle: Bundle, model: bytes) -> None:
    passing = [answer.model_copy(update={"defect": False, "doubtful": True}) for answer in bundle.golden.answers]
    limits = bundle.card.thresholds
    wide = bundle.card.model_copy(
        update={
            "thresholds": limits.model_copy(
                update={
                    "defect": limits.defect.model_copy(update={"value": 1e6}),
                    "suspicion": limits.suspicion.model_copy(update={"value": 1.1}),
                }
            )
        }
    )
    doubting = replace(bundle, card=wide, golden=replace(bundle.golden, answers=passing))
    with pytest.raises(GateError, match="flips golden picture 0"):
        check_export(model, doubting)


def test_a_file_of_another_bundle_or_no_file_at_all_is_refused(bundle: Bundle, model: bytes) -> None:
    with pytest.raises(GateError, match="not from"):
        check_export(model, replace(bundle, digest="f" * 64))
    with pytest.raises(GateError, match="cannot run"):
        check_export(b"nothing", bundle)


def test_a_bundle_whose_inputs_differ_is_exported_for_a_size_that_golden_pictures_have(
    bundle: Bundle, tmp_path: Path
) -> None:
    wider = bundle.card.picture.width + 64
    picture = bundle.card.picture.model_copy(update={"pad": "stretch", "width": wider})
    stretched = made(tmp_path / "b", bundle.card.model_copy(update={"picture": picture}))
    wide = [np.pad(stretched.golden.pictures[0], ((0, 0), (0, 40)), mode="edge"), *stretched.golden.pictures[1:]]
    varied = replace(stretched, golden=replace(stretched.golden, pictures=wide))
    report = export_bundle(varied)[1]
    assert (report.pictures, report.golden) == (len(wide) - 1, len(wide))
    with pytest.raises(ValueError, match="no golden picture has an input of 32x32"):
        export_bundle(varied, (32, 32))


def test_without_a_second_look_suspicion_is_the_bundles_own() -> None:
    card = small_card(defect=1e6)
    card = card.model_copy(update={"trust": card.trust.model_copy(update={"second": None})})
    network = small_network()
    inspector = Inspector(card, network)
    shown = [inspector.prepare(picture) for picture in pictures(6)]
    stacked = torch.from_numpy(np.stack([one.pixels[:, :, 0][None].astype(np.float32) for one in shown]))
    with torch.inference_mode():
        exported = ExportedPass(network, card, (SIZE, SIZE)).eval()(stacked, torch.from_numpy(natives(6)))
    expected = [score.suspicion for score in inspector.score(shown)]
    assert exported.suspicion.tolist() == pytest.approx(expected, abs=1e-3)


def test_a_picture_that_would_get_a_second_look_has_suspicion_1() -> None:
    card = small_card(defect=1e6, gate=0.0)
    with torch.inference_mode():
        exported = ExportedPass(small_network(), card, (SIZE, SIZE)).eval()(
            torch.rand(2, 1, SIZE, SIZE) * 255, torch.from_numpy(natives(2))
        )
    assert exported.suspicion.tolist() == [1.0, 1.0]


def fitness(card: Card, size: tuple[int, int], shown: np.ndarray, native: tuple[int, int]) -> tuple[Doubt, float]:
    with torch.inference_mode():
        exported = ExportedPass(small_network(), card, size).eval()(
            torch.from_numpy(np.asarray(shown, np.float32)[None, None]), torch.tensor([native])
        )
    return Doubt(int(exported.undecidable[0])), float(exported.suspicion[0])


@pytest.mark.parametrize(
    ("name", "doubt"),
    [
        ("black", Doubt.LEVELS),
        ("white", Doubt.BRIGHTNESS),
        ("flat", Doubt.CONTRAST),
        ("scaled to 0..1", Doubt.LEVELS),
        ("normalised", Doubt.LEVELS),
        ("16 bits", Doubt.LEVELS),
        ("not a number", Doubt.NOT_FINITE),
        ("infinite", Doubt.NOT_FINITE),
        ("of no size", Doubt.SIZE),
    ],
)
def test_a_picture_that_the_bundle_would_not_judge_is_undecidable_in_the_graph_and_never_trusted(
    bundle: Bundle, name: str, doubt: Doubt
) -> None:
    prepared = Inspector.from_bundle(bundle, "cpu").prepare(bundle.golden.pictures[0])
    picture, native = unfit_pictures(prepared, bundle.card)[name]
    assert fitness(bundle.card, (SIZE, SIZE), picture[:, :, 0], native) == (doubt, 1.0)


@pytest.mark.parametrize(("native", "fits"), [(0, False), (80, False), (81, True), (96, True), (200, True)])
def test_a_picture_fits_where_the_bundle_would_give_it_an_input_or_tiles_of_this_size(native: int, fits: bool) -> None:
    card = small_card(defect=1e6)
    card = card.model_copy(update={"picture": card.picture.model_copy(update={"pad": "stretch"})})
    doubt, _ = fitness(card, (SIZE, SIZE), pictures(1)[0], (native, SIZE))
    assert (doubt is Doubt.NONE) == fits


def test_padding_counts_neither_for_brightness_nor_for_contrast() -> None:
    card = small_card(defect=1e6)
    picture = np.zeros((SIZE, SIZE))
    picture[:40] = 200
    assert fitness(card, (SIZE, SIZE), picture, (40, SIZE))[0] is Doubt.CONTRAST
    assert fitness(card, (SIZE, SIZE), picture, (60, SIZE))[0] is Doubt.NONE


def exposed(mean: float, spread: float, size: int = SIZE) -> np.ndarray:
    """Grey levels of about that mean and standard deviation."""
    signs = np.where(np.indices((size, size)).sum(axis=0) % 2, 1.0, -1.0)
    return np.clip(mean + spread * signs, 0, 255).round().astype(np.uint8)


def limited_card() -> Card:
    card = small_card(defect=1e6)
    limits = {"brightness": (30.0, 220.0), "contrast": (4.0, 40.0)}
    return card.model_copy(update={"picture": card.picture.model_copy(update=limits)})


def is_judged_by_the_line(picture: np.ndarray, card: Card) -> bool:
    try:
        prepare_picture(picture, card.picture)
    except UnusablePicture:
        return False
    return True


@pytest.mark.parametrize("mean", [0, 29, 31, 128, 219, 221, 255])
@pytest.mark.parametrize("spread", [0, 3, 5, 39, 41, 100])
def test_line_and_file_judge_the_same_pictures_of_one_input(mean: int, spread: int) -> None:
    card, picture = limited_card(), exposed(mean, spread)
    doubt, suspicion = fitness(card, (SIZE, SIZE), picture, (SIZE, SIZE))
    assert (doubt is Doubt.NONE) == is_judged_by_the_line(picture, card)
    assert doubt is Doubt.NONE or suspicion == 1.0


def test_what_differs_of_a_picture_of_several_tiles_diverts_by_the_files_own_rule(bundle: Bundle, model: bytes) -> None:
    card = limited_card()
    good, black, dark, bright = exposed(128, 20), exposed(0, 0), exposed(60, 20), exposed(180, 20)
    holed = np.block([[good, good], [good, black]])
    assert is_judged_by_the_line(np.block([[good, good], [good, exposed(128, 30)]]), card)
    assert fitness(card, (SIZE, SIZE), black, (SIZE, SIZE)) == (Doubt.LEVELS, 1.0)
    assert not is_judged_by_the_line(np.block([[dark, bright]]), card)
    assert [fitness(card, (SIZE, SIZE), tile, (SIZE, SIZE))[0] for tile in (dark, bright)] == [Doubt.NONE] * 2
    assert float(np.std(holed)) > card.picture.contrast[1]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["linewarden"])
    assert "whole scaled picture" in facts["tiles"]
    assert [tuple(facts["picture"][name]) for name in ("brightness", "contrast")] == [
        bundle.card.picture.brightness,
        bundle.card.picture.contrast,
    ]


def test_a_file_without_its_guards_is_refused(bundle: Bundle) -> None:
    class Unguarded:
        def __init__(self, model: bytes) -> None:
            self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
            self.get_modelmeta = self._session.get_modelmeta

        def run(self, names: object, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            margins, suspicions, undecidable, *rest = self._session.run(names, feed)
            return [margins, suspicions, np.zeros_like(undecidable), *rest]

    with pytest.MonkeyPatch.context() as patch:
        model = export_bundle(bundle)[0]
        guarded = Unguarded(model)
        patch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: guarded)
        with pytest.raises(GateError, match="judges a picture that is black"):
            check_export(model, bundle)


def test_the_example_judges_with_the_file_alone(bundle: Bundle, model: bytes, tmp_path: Path) -> None:
    defect = next(row for row, answer in enumerate(bundle.golden.answers) if answer.defect)
    flawed = np.asarray(bundle.golden.pictures[defect], np.uint8)
    shown = {"flawed.png": flawed, "black.png": np.zeros_like(flawed), "large.png": np.tile(flawed, (2, 2))}
    for name, picture in shown.items():
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "model.onnx").write_bytes(model)
    ran = subprocess.run(
        [sys.executable, EXAMPLE, "model.onnx", *shown], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    flawed_line, black, large = ran.stdout.splitlines()
    assert flawed_line == f"flawed.png reject: margin {bundle.golden.answers[defect].margin:.3f}"
    assert black == "black.png divert: not decidable (levels)"
    assert large.startswith("large.png divert: not decidable (no picture of a size")
