from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.cascade import assess
from linewarden_vision.trust.enhancement import Enhancement, Source, enhance
from tests.unit.vision.helpers import small_card, small_network


@contextmanager
def _nothing_changes(network: DefectNetwork) -> Iterator[None]:
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    modes = [module.training for module in network.modules()]
    yield
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network.parameters()] == wanted
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks or module._backward_hooks for module in network.modules())


def test_the_step_raises_the_margin_and_leaves_the_network_as_it_was() -> None:
    network = small_network()
    with _nothing_changes(network), torch.inference_mode():
        pictures = torch.randn(3, 1, 96, 96)
        output = network(pictures)
        enhanced = enhance(network, Source(pictures, output.pyramid), Enhancement(epsilon=0.01))
    assert bool((enhanced.margin > output.margin).all())


def test_the_step_is_signed_and_scaled_by_the_deviation_of_each_pictures_own_map() -> None:
    network = small_network()
    seen: list[Tensor] = []
    fuse = network.fuse

    def spy(pyramid: dict[int, Tensor]) -> Tensor:
        seen.append(pyramid[16].detach().clone())
        return fuse(pyramid)

    network.fuse = spy  # type: ignore[method-assign,assignment]
    pictures = torch.randn(2, 1, 96, 96) * torch.tensor([1.0, 5.0])[:, None, None, None]
    with torch.no_grad():
        enhance(network, Source(pictures, network.encode(pictures)))
    before, after = seen
    step = (after - before).abs()
    for index in range(2):
        size = 0.15 * before[index].std()
        moved = step[index][step[index] > 1e-7]
        torch.testing.assert_close(moved, torch.full_like(moved, float(size)), rtol=1e-3, atol=1e-6)


def test_a_network_in_train_mode_is_refused_and_stays_in_train_mode() -> None:
    network = small_network().train()
    with _nothing_changes(network), pytest.raises(ValueError, match="eval mode"):
        enhance(network, Source(torch.zeros(1, 1, 32, 32), {}))


def test_nothing_changes_when_scoring_raises_midway(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    calls = 0
    classify = network.classify

    def fail_in_the_second_look(tap: Tensor) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("device lost")
        return classify(tap)

    monkeypatch.setattr(network, "classify", fail_in_the_second_look)
    model = small_card(gate=0.0).trust.build()
    with _nothing_changes(network), torch.inference_mode(), pytest.raises(RuntimeError, match="device lost"):
        assess(network, torch.randn(2, 1, 96, 96), model, reject_above=1e9)
    assert torch.is_grad_enabled()


def test_only_doubtful_passes_get_a_second_look() -> None:
    network = small_network()
    pictures = torch.randn(6, 1, 96, 96)
    with torch.inference_mode():
        cheap = assess(network, pictures, small_card(gate=2.0).trust.build(), reject_above=1e9)
        middle = float(np.median(cheap.suspicion))
        some = assess(network, pictures, small_card(gate=middle).trust.build(), reject_above=1e9)
        rejected = assess(network, pictures, small_card(gate=0.0).trust.build(), reject_above=-1e9)
    assert np.isnan(cheap.ingredients[:, -1]).all()
    np.testing.assert_array_equal(~np.isnan(some.ingredients[:, -1]), cheap.suspicion >= middle)
    unlooked = cheap.suspicion < middle
    np.testing.assert_allclose(some.suspicion[unlooked], cheap.suspicion[unlooked])
    assert np.isnan(rejected.ingredients[:, -1]).all()


def test_the_second_look_does_not_depend_on_the_company_in_the_batch() -> None:
    network, model = small_network(), small_card(gate=0.0).trust.build()
    pictures = torch.randn(4, 1, 96, 96)
    with torch.inference_mode():
        together = assess(network, pictures, model, reject_above=1e9)
        alone = [assess(network, pictures[i : i + 1], model, reject_above=1e9) for i in range(4)]
    np.testing.assert_allclose(together.suspicion, [one.suspicion[0] for one in alone], atol=1e-3)
