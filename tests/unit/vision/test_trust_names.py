"""Every ingredient has a name that a card takes, words for a person, and a switch."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from linewarden_vision.card import CheapIngredient, SecondLookCard, TrustCard
from linewarden_vision.network.interface import NetworkOutput
from linewarden_vision.trust.agreement import (
    agreement_difference,
    normal_disagreement,
    plain_soft_difference,
    soft_agreement_difference,
)
from linewarden_vision.trust.cascade import TrustModel, assess
from linewarden_vision.trust.enhancement import NAMED_ENHANCEMENTS, REFERENCE, Enhancement, Response, Source
from linewarden_vision.trust.ingredients import cheap_ingredients, second_ingredients
from linewarden_vision.trust.maps import AgnosticVariant, make_maps
from linewarden_vision.trust.registry import CHEAP_NAMES, SECOND_NAMES, words_of
from linewarden_vision.trust.suspicion import Logistic, Normaliser, sum_of_rarities
from tests.unit.vision.helpers import small_card, small_network

_GOOD = np.linspace(-1, 1, 40)


def _output(seed: int = 0) -> NetworkOutput:
    generator = torch.Generator().manual_seed(seed)
    tap = torch.relu(torch.randn(12, 3, 10, 9, generator=generator))
    cells = torch.einsum("bchw,c->bhw", tap, torch.randn(3, generator=generator))
    cells = cells - cells.mean((1, 2), keepdim=True)
    return NetworkOutput(cells.amax((1, 2)), cells, tap, torch.randn(12, 40, 36, generator=generator), {})


@pytest.mark.parametrize("name", [*CHEAP_NAMES, *SECOND_NAMES])
def test_every_ingredient_has_words_of_its_own_for_a_person(name: str) -> None:
    assert words_of(name) != words_of("")


def test_a_name_gives_the_same_values_alone_and_beside_all_others() -> None:
    output = _output()
    maps = make_maps(output.cells, output.tap)
    every = cheap_ingredients(output, maps, CHEAP_NAMES)
    torch.testing.assert_close(every, torch.cat([cheap_ingredients(output, maps, [name]) for name in CHEAP_NAMES], 1))
    every = _second(SECOND_NAMES)
    assert every.shape == (3, len(SECOND_NAMES))
    torch.testing.assert_close(every, torch.cat([_second([name]) for name in SECOND_NAMES], 1))


def _second(names: Sequence[str]) -> torch.Tensor:
    network, pictures = small_network(), torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        output = network(pictures)
    return second_ingredients(network, Source(pictures, output.pyramid), Response.of(output), names, REFERENCE)


@pytest.mark.parametrize("variant", ["energy", "mean", "eigen", "fem"])
def test_a_name_is_its_measure_of_its_agnostic_map(variant: AgnosticVariant) -> None:
    output = _output()
    suffix = "" if variant == "energy" else f"_{variant}"
    measures = {
        "agreement": agreement_difference,
        "agreement_soft": soft_agreement_difference,
        "agreement_plain_soft": plain_soft_difference,
        "normal_disagreement": normal_disagreement,
    }
    names = [measure + suffix for measure in measures]
    found = cheap_ingredients(output, make_maps(output.cells, output.tap), names)
    of_variant = make_maps(output.cells, output.tap, variant)
    torch.testing.assert_close(found, torch.stack([measure(of_variant) for measure in measures.values()], dim=1))


def test_a_gain_is_the_value_after_the_step_less_the_value_before() -> None:
    network, pictures = small_network(), torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        output = network(pictures)
    maps = make_maps(output.cells, output.tap)
    for name in ("agreement_fem", "normal_disagreement_mean", "margin"):
        before = cheap_ingredients(output, maps, [name])
        late, gain = _second([f"{name}_enhanced", f"{name}_gain"]).T
        torch.testing.assert_close(gain, late - before[:, 0])


@pytest.mark.parametrize("name", CHEAP_NAMES)
def test_every_ingredient_can_be_the_only_one_or_the_one_left_out(name: str) -> None:
    network, pictures = small_network(), torch.randn(2, 1, 64, 64)
    for names in ([name], [other for other in CHEAP_NAMES if other != name][:4]):
        model = TrustModel(names, [Normaliser(_GOOD)] * len(names), Logistic(-1.0, (0.5,) * len(names)))
        with torch.inference_mode():
            assessed = assess(network, pictures, model, reject_above=1e9)
        assert assessed.ingredients.shape == (2, len(names))
        assert ((assessed.suspicion >= 0) & (assessed.suspicion <= 1)).all()


def test_a_card_refuses_a_name_that_is_none() -> None:
    with pytest.raises(ValidationError, match="agreement_median"):
        CheapIngredient.model_validate({"name": "agreement_median", "good": _GOOD.tolist()})


def test_a_card_written_before_the_settings_existed_means_the_reference() -> None:
    card = small_card().trust
    assert card.second is not None
    written = card.model_dump(mode="json")
    for setting in ("space", "stride", "steps", "direction"):
        del written["second"][setting]
    second = TrustCard.model_validate(written).build().second
    assert second is not None
    assert second.enhancement == Enhancement()


@pytest.mark.parametrize("settings", NAMED_ENHANCEMENTS.values(), ids=NAMED_ENHANCEMENTS.keys())
def test_a_card_carries_every_setting_of_the_enhancement(settings: Enhancement) -> None:
    card = small_card().trust.second
    assert card is not None
    fields = {name: getattr(settings, name) for name in ("space", "stride", "epsilon", "steps", "direction")}
    read = SecondLookCard.model_validate_json(card.model_copy(update=fields).model_dump_json())
    model = small_card().trust.model_copy(update={"second": read}).build()
    assert model.second is not None
    assert model.second.enhancement == settings


def test_without_defective_pictures_suspicion_is_the_sum_of_rarities_on_a_scale_of_good_parts() -> None:
    fallback = sum_of_rarities(2)
    rarities = np.random.default_rng(0).exponential(size=(20_000, 2))
    suspicion = fallback(rarities)
    assert (suspicion >= 0.5).mean() == pytest.approx(0.05, abs=0.006)
    assert (np.diff(suspicion[np.argsort(rarities.sum(1))]) >= 0).all()
    with pytest.raises(ValueError, match="between 1 and 4"):
        sum_of_rarities(5)
