"""An ONNX file repeats its bundle's golden answers, or is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from linewarden_vision.bundle import Bundle, read_bundle, write_bundle
from linewarden_vision.card import Card
from linewarden_vision.errors import GateError
from linewarden_vision.export.checking import check_export
from linewarden_vision.export.graph import ExportedPass
from linewarden_vision.export.onnx_file import export_bundle
from linewarden_vision.inspector import Inspector
from tests.unit.vision.helpers import golden_of, middle_margin, pictures, small_card, small_network

onnx = pytest.importorskip("onnx", reason="needs the extra 'export'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'export'")


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
        margins, suspicions, cells, agnostic, logits = session.run(None, {"pictures": stacked})
        for place, score in enumerate(inspector.score(shown)):
            assert margins[place] == pytest.approx(score.margin, abs=1e-3)
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
        exported = ExportedPass(network, card).eval()(stacked)
    expected = [score.suspicion for score in inspector.score(shown)]
    assert exported.suspicion.tolist() == pytest.approx(expected, abs=1e-3)


def test_a_picture_that_would_get_a_second_look_has_suspicion_1() -> None:
    card = small_card(defect=1e6, gate=0.0)
    with torch.inference_mode():
        exported = ExportedPass(small_network(), card).eval()(torch.rand(2, 1, 96, 96) * 255)
    assert exported.suspicion.tolist() == [1.0, 1.0]
