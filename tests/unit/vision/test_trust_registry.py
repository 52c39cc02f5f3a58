"""A trust score of another distribution is asked for by name, and whatever is wrong with it is told by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from linewarden_vision.bundle import Bundle, read_bundle, write_bundle
from linewarden_vision.card import CheapIngredient, EnhancedIngredient, LogisticCard
from linewarden_vision.errors import BundleError, GateError, TrustScoreError
from linewarden_vision.network.interface import NetworkOutput
from linewarden_vision.trust import registry
from linewarden_vision.trust.cascade import TrustModel, assess
from linewarden_vision.trust.ingredients import cheap_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.registry import words_of
from linewarden_vision.trust.scores import TrustScore
from linewarden_vision.trust.suspicion import Logistic, Normaliser
from tests.support.distributions import InstallScores, forget_scores
from tests.unit.vision.helpers import golden_of, middle_margin, small_card, small_network

_TEXTS = Path(__file__).parents[3] / "services" / "linewarden_reinspect" / "station" / "texts"
_MODULE = """
import torch
from linewarden_vision.trust.scores import SecondScore, TrustScore
SPREAD = TrustScore("spread", {"en": "it spread", "de": "es breitete sich aus"}, lambda output, maps: MEASURE)
AGAIN = SecondScore("again", {"en": "again"}, lambda second: second.after.margin)
"""
_SPREAD = "(maps.defect > 0).float().mean((1, 2))"


def _plate(measure: str = _SPREAD) -> str:
    return _MODULE.replace("MEASURE", measure)


def _output(count: int = 3) -> NetworkOutput:
    cells = torch.randn(count, 5, 4, generator=torch.Generator().manual_seed(0))
    return NetworkOutput(cells.amax((1, 2)), cells, cells[:, None].abs(), torch.zeros(count, 20, 16), {})


def test_a_score_of_another_distribution_is_computed_beside_the_built_in_ones(install: InstallScores) -> None:
    install("plate-scores", _plate(), {"spread": "SPREAD"})
    output = _output()
    maps = make_maps(output.cells, output.tap)
    found = cheap_ingredients(output, maps, ["margin", "spread", "cell_peak"])
    torch.testing.assert_close(found[:, 1], (maps.defect > 0).float().mean((1, 2)))
    torch.testing.assert_close(found[:, [0, 2]], cheap_ingredients(output, maps, ["margin", "cell_peak"]))


def test_its_words_are_said_in_a_language_that_it_has_and_else_in_english(install: InstallScores) -> None:
    install("plate-scores", _plate(), {"spread": "SPREAD", "again": "AGAIN"})
    assert words_of("spread") == "it spread"
    assert words_of("spread", "de") == "es breitete sich aus"
    assert words_of("again", "de") == "again"
    assert words_of("gone", "de") == "die Hinweise sind ungewöhnlich für ein Gutteil"


def test_only_the_score_that_is_asked_for_is_imported(install: InstallScores) -> None:
    install("plate-scores", _plate(), {"spread": "SPREAD"})
    install("other-scores", "raise RuntimeError('imported')", {"other": "OTHER"})
    assert registry.find("spread").name == "spread"
    assert "other_scores" not in sys.modules
    with pytest.raises(TrustScoreError, match=r"other of other-scores cannot be imported.*RuntimeError\('imported'\)"):
        registry.find("other")


@pytest.mark.parametrize(
    ("offers", "asked", "why"),
    [
        ({"margin": "SPREAD"}, "margin", "plate-scores claims trust score margin, which linewarden has"),
        ({"spread": "NOTHING"}, "spread", "spread of plate-scores cannot be imported"),
        ({"spread": "torch"}, "spread", "spread of plate-scores is a module"),
        ({"wide": "SPREAD"}, "wide", "wide of plate-scores calls itself spread"),
    ],
)
def test_what_is_wrong_with_an_offer_names_its_distribution(
    install: InstallScores, offers: Mapping[str, str], asked: str, why: str
) -> None:
    install("plate-scores", _plate(), offers)
    with pytest.raises(TrustScoreError, match=why):
        registry.find(asked)


def test_a_name_that_two_distributions_claim_is_refused(install: InstallScores) -> None:
    install("plate-scores", _plate(), {"spread": "SPREAD"})
    install("other-scores", _plate(), {"spread": "SPREAD"})
    with pytest.raises(TrustScoreError, match="other-scores and plate-scores both claim trust score spread"):
        registry.find("spread")


def test_a_card_takes_a_score_for_its_own_kind_of_look_alone(install: InstallScores) -> None:
    install("plate-scores", _plate(), {"spread": "SPREAD", "again": "AGAIN"})
    good = np.linspace(0, 1, 40).tolist()
    assert CheapIngredient(name="spread", good=good).name == "spread"
    assert EnhancedIngredient(name="again", good=good).name == "again"
    with pytest.raises(ValidationError, match="again is one of a second look"):
        CheapIngredient(name="again", good=good)
    with pytest.raises(ValidationError, match="margin is one of one pass"):
        EnhancedIngredient(name="margin", good=good)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_value_that_is_not_finite_is_suspicious_beyond_doubt(install: InstallScores, value: str) -> None:
    install("plate-scores", _plate(f"torch.full_like(output.margin, float('{value}'))"), {"spread": "SPREAD"})
    model = TrustModel(["spread"], [Normaliser(np.linspace(-1, 1, 40))], Logistic(-9.0, (0.1,)))
    with torch.inference_mode():
        found = assess(small_network(), torch.randn(2, 1, 64, 64), model, reject_above=1e9)
    assert found.suspicion.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("measure", ["maps.defect", "output.margin.mean()", "[0.0] * 3"])
def test_a_score_that_gives_no_value_for_each_picture_is_refused(install: InstallScores, measure: str) -> None:
    install("plate-scores", _plate(measure), {"spread": "SPREAD"})
    output = _output()
    with pytest.raises(TrustScoreError, match="spread of plate-scores gives"):
        cheap_ingredients(output, make_maps(output.cells, output.tap), ["spread"])


@pytest.mark.parametrize(("name", "words"), [("Not a name", {"en": "x"}), ("spread", {"de": "x"}), ("spread", {})])
def test_a_score_has_a_plain_name_and_english_words(name: str, words: Mapping[str, str]) -> None:
    with pytest.raises(ValueError, match=r"small letters|in English"):
        TrustScore(name, words, lambda output, _: output.margin)


def _bundle(folder: Path) -> Bundle:
    """A bundle that counts on mask evidence and `spread`, without a second look."""
    network = small_network()
    card = small_card(defect=middle_margin(network), suspicion=0.9)
    trust = card.trust.model_copy(
        update={
            "ingredients": [
                card.trust.ingredients[1],
                CheapIngredient(name="spread", good=np.linspace(0, 1, 40).tolist()),
            ],
            "logistic": LogisticCard(intercept=-1.5, coefficients=[0.5, 0.5]),
            "second": None,
        }
    )
    card = card.model_copy(update={"trust": trust})
    write_bundle(folder, card, network.state_dict(), golden_of(card, network))
    return read_bundle(folder)


def test_without_its_distribution_a_bundle_is_refused_and_the_score_named(
    install: InstallScores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("plate-scores", _plate(), {"spread": "SPREAD"})
    _bundle(tmp_path / "bundle")
    monkeypatch.undo()
    forget_scores()
    with pytest.raises(BundleError, match=r"no trust score 'spread' is installed; a distribution.*Known are.* margin,"):
        read_bundle(tmp_path / "bundle")


def test_a_score_made_of_torch_operations_is_exported_with_its_bundle(install: InstallScores, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
    from linewarden_vision.export.onnx_file import export_bundle  # noqa: PLC0415

    install("plate-scores", _plate(), {"spread": "SPREAD"})
    model, report = export_bundle(_bundle(tmp_path / "bundle"))
    assert model
    assert report.pictures == 4


@pytest.mark.parametrize(
    "measure",
    [
        "torch.from_numpy(maps.defect.numpy().max((1, 2)))",
        "maps.defect.amax((1, 2)) if bool(maps.defect.max() > 0.5) else output.margin",
        "torch.stack([row.max() for row in maps.defect])",
    ],
)
def test_a_score_that_cannot_be_exported_is_named(install: InstallScores, tmp_path: Path, measure: str) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
    from linewarden_vision.export.onnx_file import export_bundle  # noqa: PLC0415

    install("plate-scores", _plate(measure), {"spread": "SPREAD"})
    with pytest.raises(GateError, match="trust score spread of plate-scores cannot be exported"):
        export_bundle(_bundle(tmp_path / "bundle"))


def test_a_score_is_not_blamed_for_what_another_did(install: InstallScores) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
    from linewarden_vision.export.foreign import refuse_scores_alone  # noqa: PLC0415

    install("plate-scores", _plate(), {"spread": "SPREAD"})
    refuse_scores_alone(small_network(), torch.zeros(2, 1, 64, 64), ["margin", "spread"])
