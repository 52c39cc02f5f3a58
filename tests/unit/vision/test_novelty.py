"""Novelty is far from good parts, travels in a bundle of its own file, and is scored in the same pass."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from linewarden_vision.bundle import read_bundle, write_bundle
from linewarden_vision.card import Card, CheapIngredient, LogisticCard
from linewarden_vision.errors import BundleError
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from linewarden_vision.trust.ingredients import cheap_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.novelty import NOVELTY_FILE, NoveltyBank, directions, patch_features
from tests.unit.vision.helpers import golden_of, pictures, small_card, small_network


def _pyramid(seed: int, count: int = 3) -> dict[int, Tensor]:
    made = torch.Generator().manual_seed(seed)
    return {8: torch.rand(count, 4, 8, 6, generator=made), 16: torch.rand(count, 6, 4, 3, generator=made)}


def _bank(pyramid: dict[int, Tensor]) -> NoveltyBank:
    patches = patch_features(pyramid).flatten(0, 1)
    scale = patches.std(0)
    return NoveltyBank(directions(patches, scale), scale)


def test_what_the_bank_holds_is_not_new_and_anything_else_is() -> None:
    good = _pyramid(0)
    bank = _bank(good)
    assert patch_features(good).shape == (3, 48, 10)
    assert bank(good).max() < 1e-2
    assert bank(_pyramid(1)).min() > 0.1


def test_one_strange_place_is_seen_and_brighter_light_is_not() -> None:
    good = _pyramid(0)
    bank = _bank(good)
    spot = {stride: level.clone() for stride, level in good.items()}
    spot[8][1, 0, 3:5, 2:4] += 5
    novelty = bank(spot)
    assert novelty[1] > 0.2
    assert novelty[[0, 2]].max() < 1e-2
    assert bank({stride: 1.3 * level for stride, level in good.items()}).max() < 1e-2


def test_a_picture_is_as_new_alone_as_in_company_and_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, strange = _bank(_pyramid(0)), _pyramid(1)
    together = bank(strange)
    monkeypatch.setattr("linewarden_vision.trust.novelty._CHUNK", 7)
    alone = torch.cat([bank({stride: level[row : row + 1] for stride, level in strange.items()}) for row in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_file_of_a_bank_comes_back_in_half_precision() -> None:
    bank = _bank(_pyramid(0))
    files = bank.to_files()
    again = NoveltyBank.from_file(files[NOVELTY_FILE])
    assert list(files) == [NOVELTY_FILE]
    assert again.patches.dtype == torch.float16
    assert torch.allclose(bank(_pyramid(1)), again(_pyramid(1)), atol=2e-3)


@pytest.mark.parametrize(
    "content",
    [
        b"no tensors",
        save({"patches": torch.ones(2, 3)}),
        save({"patches": torch.ones(2, 3), "scale": torch.ones(4)}),
        save({"patches": torch.full((2, 3), torch.nan), "scale": torch.ones(3)}),
    ],
)
def test_a_file_that_is_no_bank_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=NOVELTY_FILE):
        NoveltyBank.from_file(content)


def _card() -> Card:
    card = small_card()
    good = np.linspace(0, 1, 40).tolist()
    trust = card.trust.model_copy(
        update={
            "ingredients": [CheapIngredient(name="novelty", good=good)],
            "logistic": LogisticCard(intercept=-2.0, coefficients=[1.0]),
            "second": None,
        }
    )
    return card.model_copy(update={"trust": trust})


def test_a_bundle_with_a_bank_scores_novelty_and_keeps_its_weights_as_they_were(tmp_path: Path) -> None:
    network = small_network()
    names = set(network.state_dict())
    with torch.inference_mode():
        shown = torch.from_numpy(np.stack(pictures(4))[:, None].astype(np.float32))
        network.novelty = _bank(dict(network.encode((shown - 110) / 55)))
    assert set(network.state_dict()) == names
    golden: Golden = golden_of(_card(), network)
    write_bundle(tmp_path, _card(), network.state_dict(), golden, network.novelty.to_files())
    inspector = Inspector.load(tmp_path, device="cpu")
    scores = inspector.score([inspector.prepare(picture) for picture in pictures(6)])
    known, strange = scores[:4], scores[4:]
    assert max(score.ingredients["novelty"] for score in known) < min(s.ingredients["novelty"] for s in strange)
    write_bundle(tmp_path, _card(), network.state_dict(), golden)
    assert read_bundle(tmp_path).card.trust.ingredients[0].name == "novelty"
    with pytest.raises(BundleError, match=r"novelty\.safetensors is missing"):
        Inspector.load(tmp_path, device="cpu")


def test_novelty_of_a_network_without_a_bank_is_refused() -> None:
    network = small_network()
    with torch.inference_mode():
        output = network(torch.zeros(1, 1, 96, 96))
    with pytest.raises(ValueError, match="needs a network with a bank"):
        cheap_ingredients(output, make_maps(output.cells, output.tap), ["novelty"])
