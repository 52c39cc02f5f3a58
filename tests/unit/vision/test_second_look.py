"""A second look: what the step brings out, and what the network says of the picture turned by half."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.cascade import SecondLook, TrustModel, assess
from linewarden_vision.trust.enhancement import REFERENCE, Response, Source
from linewarden_vision.trust.ingredients import second_ingredients
from linewarden_vision.trust.second_look import turned_margin
from linewarden_vision.trust.suspicion import Logistic, Normaliser
from tests.unit.vision.helpers import small_network

TURNED = "margin_turned"


def _pictures(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 1, 64, 96, generator=torch.Generator().manual_seed(4))


def _margin(network: DefectNetwork, pictures: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(pictures).margin
    return found


def test_the_turned_margin_is_the_mean_over_the_picture_and_its_half_turn() -> None:
    network, pictures = small_network(), _pictures()
    plain, turned = _margin(network, pictures), _margin(network, torch.rot90(pictures, 2, (2, 3)))
    assert not torch.allclose(plain, turned)
    torch.testing.assert_close(turned_margin(network, pictures, plain), (plain + turned) / 2)


def test_a_picture_that_looks_the_same_turned_keeps_its_margin() -> None:
    network, half = small_network(), _pictures()
    pictures = half + half.flip((2, 3))
    plain = _margin(network, pictures)
    torch.testing.assert_close(turned_margin(network, pictures, plain), plain, rtol=1e-4, atol=1e-5)


def test_names_come_in_any_order_and_each_gives_the_same_alone() -> None:
    network, pictures = small_network(), _pictures()
    with torch.no_grad():
        output = network(pictures)
    source, before = Source(pictures, output.pyramid), Response.of(output)
    names = ["margin_enhanced", TURNED, "agreement_enhanced"]
    together = second_ingredients(network, source, before, names, REFERENCE)
    alone = [second_ingredients(network, source, before, [name], REFERENCE) for name in names]
    torch.testing.assert_close(together, torch.cat(alone, dim=1))


def test_a_second_look_by_the_half_turn_takes_no_step() -> None:
    network, pictures = small_network(), _pictures()
    with torch.no_grad():
        output = network(pictures)
    nothing_to_step_from = Source(pictures, {})
    found = second_ingredients(network, nothing_to_step_from, Response.of(output), [TURNED], REFERENCE)
    assert found.shape == (3, 1)


def test_a_network_in_train_mode_is_refused() -> None:
    network, pictures = small_network(), _pictures()
    network.train()
    with pytest.raises(ValueError, match="eval mode"):
        turned_margin(network, pictures, torch.zeros(3))


def test_only_the_doubtful_are_turned_and_each_scores_the_same_alone() -> None:
    network, pictures = small_network(), _pictures(6)
    margins = _margin(network, pictures).double().numpy()
    good = Normaliser(np.linspace(margins.min(), margins.max(), 40))
    plain = Logistic(0.0, (1.0,))
    gate = float(np.median(plain(good(margins)[:, None])))
    second = SecondLook([TURNED], [good], Logistic(0.0, (0.0, 1.0)), REFERENCE, gate)
    model = TrustModel(["margin"], [good], plain, second)
    with torch.inference_mode():
        together = assess(network, pictures, model, reject_above=np.inf)
        alone = [assess(network, picture[None], model, reject_above=np.inf) for picture in pictures]
    turned = ~np.isnan(together.ingredients[:, 1])
    assert 0 < turned.sum() < 6
    np.testing.assert_allclose(together.suspicion, [one.suspicion[0] for one in alone], atol=0.02)  # a rank may tie
    expected = turned_margin(network, pictures, _margin(network, pictures)).numpy()
    np.testing.assert_allclose(together.ingredients[turned, 1], expected[turned], rtol=1e-4, atol=1e-6)
