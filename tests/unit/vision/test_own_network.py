"""The trust scores on a network that is not ours: from its maps, or from the network in a few steps."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import linewarden
from linewarden_vision.network.interface import Pyramid
from linewarden_vision.trust import own_network
from linewarden_vision.trust.enhancement import REFERENCE, Response, Source
from linewarden_vision.trust.ingredients import cheap_ingredients, second_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.registry import CHEAP_NAMES
from tests.unit.vision.helpers import small_network


class _Stepped(nn.Module):
    """A network that is none of ours, with a pyramid, a tap and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.levels = nn.ModuleDict({str(stride): nn.Conv2d(1, 4, stride, stride) for stride in (8, 16, 32)})
        self.direction = nn.Parameter(torch.randn(4))

    def encode(self, pictures: Tensor) -> Pyramid:
        return {int(stride): torch.tanh(level(pictures)) for stride, level in self.levels.items()}

    def fuse(self, pyramid: Pyramid) -> Tensor:
        grown = [nn.functional.interpolate(pyramid[stride], pyramid[8].shape[-2:]) for stride in (16, 32)]
        return torch.relu(pyramid[8] + grown[0] + grown[1])

    def classify(self, tap: Tensor) -> linewarden.Classification:
        cells = torch.einsum("bchw,c->bhw", tap, self.direction)
        return linewarden.Classification(cells, cells.mean((1, 2)))

    def forward(self, pictures: Tensor) -> linewarden.NetworkOutput:
        pyramid = self.encode(pictures)
        tap = self.fuse(pyramid)
        seen = self.classify(tap)
        return linewarden.NetworkOutput(seen.margin, seen.cells, tap, seen.cells, pyramid)


def _pictures(count: int = 3) -> Tensor:
    return torch.randn(count, 1, 64, 96, generator=torch.Generator().manual_seed(1))


def test_the_example_runs() -> None:
    found = doctest.testmod(own_network)
    assert found.attempted > 2
    assert found.failed == 0


def test_what_the_page_on_the_library_shows_runs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "library.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## The trust scores of a network of your own")
    shown: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
        exec(block, shown)
    assert {name: tuple(values.shape) for name, values in shown["found"].items()} == {
        "agreement": (4,),
        "agreement_enhanced": (4,),
        "margin_turned": (4,),
    }


@pytest.mark.parametrize("make", [small_network, lambda: _Stepped().eval()], ids=["ours", "another"])
def test_every_score_that_a_network_can_have_has_a_value_for_each_picture(make: Callable[[], nn.Module]) -> None:
    network = make()
    found = linewarden.trust_scores(network, _pictures())
    assert list(found) == list(CHEAP_NAMES)
    assert all(values.shape == (3,) and bool(values.isfinite().all()) for values in found.values())
    output = network(_pictures())
    expected = cheap_ingredients(output, make_maps(output.cells, output.tap), list(found))
    torch.testing.assert_close(torch.stack(list(found.values()), 1), expected.detach())


def test_another_network_in_steps_gets_a_second_look() -> None:
    network, names = _Stepped().eval(), ["margin_turned", "agreement", "margin_gain"]
    found = linewarden.trust_scores(network, _pictures(), names)
    assert list(found) == names
    plain, turned = network(_pictures()).margin, network(_pictures().flip((2, 3))).margin
    torch.testing.assert_close(found["margin_turned"], ((plain + turned) / 2).detach())
    assert bool((found["margin_gain"] > 0).all())  # the step goes towards a defect


def test_our_own_network_gets_the_second_look_of_its_bundle() -> None:
    network, pictures = small_network(), _pictures()
    with torch.no_grad():
        output = network(pictures)
    names = ["agreement_enhanced", "margin_turned"]
    expected = second_ingredients(network, Source(pictures, output.pyramid), Response.of(output), names, REFERENCE)
    found = linewarden.trust_scores(network, pictures, names)
    torch.testing.assert_close(torch.stack([found[name] for name in names], 1), expected)


def test_maps_alone_give_the_scores_that_need_no_more() -> None:
    output = small_network()(_pictures())
    alone = linewarden.trust_scores_of_maps(output.cells, output.tap)
    assert not {"margin", "mask_evidence", "novelty"} & set(alone)
    assert {"agreement", "cell_peak"} <= set(alone)
    more = linewarden.trust_scores_of_maps(
        output.cells, output.tap, margin=output.margin, mask_logits=output.mask_logits
    )
    whole = linewarden.trust_scores(small_network(), _pictures())
    assert list(more) == list(whole)
    for name, values in more.items():
        torch.testing.assert_close(values, whole[name])
    torch.testing.assert_close(alone["agreement"], whole["agreement"])


class _NoSteps(nn.Module):
    def forward(self, pictures: Tensor) -> linewarden.NetworkOutput:
        return _Stepped().eval()(pictures)  # type: ignore[no-any-return]


class _Logits(nn.Module):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.mean((1, 2, 3))


@pytest.mark.parametrize(
    ("network", "names", "why"),
    [
        (_Stepped(), None, "eval mode"),
        (_Logits().eval(), None, "trust_scores_of_maps"),
        (_NoSteps().eval(), ["margin", "margin_turned"], "margin_turned takes a second look"),
        (_NoSteps().eval(), ["agreement_median"], "no trust score 'agreement_median' is installed"),
    ],
)
def test_a_network_that_cannot_be_asked_is_told_why(network: nn.Module, names: list[str] | None, why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        linewarden.trust_scores(network, _pictures(), names)


@pytest.mark.parametrize(
    ("cells", "names", "why"),
    [
        (torch.zeros(2, 3, 3), None, r"cells are \(B, h, w\)"),
        (torch.zeros(2, 3, 4), ["mask_evidence"], "mask_evidence needs mask_logits"),
        (torch.zeros(2, 3, 4), ["margin_turned"], "one of a second look"),
    ],
)
def test_maps_that_do_not_suffice_are_told_why(cells: Tensor, names: list[str] | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        linewarden.trust_scores_of_maps(cells, torch.zeros(2, 5, 3, 4), names)
