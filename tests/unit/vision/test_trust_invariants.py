"""What holds for every setting of the enhancement: state, company, precision, failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linewarden_vision.bundle import read_bundle
from linewarden_vision.network.build import build_network
from linewarden_vision.network.head import Classification
from linewarden_vision.network.interface import DefectNetwork, Pyramid
from linewarden_vision.synthetic.demo import demo_part
from linewarden_vision.trust.enhancement import (
    NAMED_ENHANCEMENTS,
    Enhancement,
    Response,
    Source,
    enhance,
)
from linewarden_vision.trust.ingredients import cheap_ingredients, second_ingredients
from linewarden_vision.trust.maps import ActivationMaps, make_maps
from linewarden_vision.trust.registry import CHEAP_NAMES, SECOND_NAMES
from tests.unit.vision.helpers import small_network

_DEMO = Path(__file__).parents[3] / "services" / "linewarden" / "assets" / "demo-bundle"
_EVERY = pytest.mark.parametrize("settings", NAMED_ENHANCEMENTS.values(), ids=NAMED_ENHANCEMENTS.keys())
_GREY_LEVEL = 1 / 50
ENHANCED_NAMES = [name for name in SECOND_NAMES if name != "margin_turned"]


@contextmanager
def _nothing_changes(network: DefectNetwork) -> Iterator[None]:
    def look() -> list[object]:
        return [
            [parameter.requires_grad for parameter in network.parameters()],
            [parameter.grad is None for parameter in network.parameters()],
            [parameter._version for parameter in network.parameters()],
            [module.training for module in network.modules()],
            [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()],
            [len(module._backward_hooks) + len(module._backward_pre_hooks) for module in network.modules()],
        ]

    state = {name: value.clone() for name, value in network.state_dict().items()}
    before = look()
    try:
        yield
    finally:
        assert look() == before
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
        assert torch.is_grad_enabled()


def _scores(network: DefectNetwork, pictures: Tensor, settings: Enhancement, *, half: bool = False) -> Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        output = network(pictures)
        before = Response.of(output)
        source = Source(pictures, output.pyramid, _GREY_LEVEL)
        cheap = cheap_ingredients(output, make_maps(output.cells, output.tap), CHEAP_NAMES)
        return torch.cat([cheap, second_ingredients(network, source, before, ENHANCED_NAMES, settings)], dim=1)


@cache
def _demo() -> tuple[DefectNetwork, Tensor]:
    bundle = read_bundle(_DEMO)
    card = bundle.card
    network = build_network(card.network.name, card.network.encoder, 1, tap_channels=card.network.tap_channels)
    network.load_state_dict(dict(bundle.weights))
    network.eval()
    shown = np.stack([view.picture for number in range(2) for view in demo_part(number, defect_rate=0.5).views])
    return network, (torch.from_numpy(shown)[:, None].float() - card.picture.mean) / card.picture.std


@_EVERY
@pytest.mark.parametrize("trainable", [True, False])
def test_every_setting_leaves_the_network_as_it_was(settings: Enhancement, *, trainable: bool) -> None:
    network = small_network()
    network.requires_grad_(trainable)
    with _nothing_changes(network):
        assert bool(_scores(network, torch.randn(2, 1, 64, 64), settings).isfinite().all())


@_EVERY
def test_every_setting_leaves_the_network_as_it_was_when_it_raises_midway(settings: Enhancement) -> None:
    network = small_network()
    fuse, calls = network.fuse, 0
    slopes = 0 if settings.space == "feature" and settings.steps == 1 else settings.steps  # one step's is closed form

    def fail_after_the_slope(pyramid: Pyramid) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > 1 + slopes:
            raise RuntimeError("device lost")
        return fuse(pyramid)

    network.fuse = fail_after_the_slope  # type: ignore[method-assign]
    with _nothing_changes(network), pytest.raises(RuntimeError, match="device lost"):
        _scores(network, torch.randn(2, 1, 64, 64), settings)


@_EVERY
def test_a_picture_scores_the_same_alone_and_in_company(settings: Enhancement) -> None:
    network, pictures = _demo()
    pictures = pictures[:3] * torch.tensor([1.0, 0.5, 3.0])[:, None, None, None]
    together = _scores(network, pictures, settings)
    alone = torch.cat([_scores(network, picture[None], settings) for picture in pictures])
    # rounding may move one of the few cells that tie at the edge of a top set
    torch.testing.assert_close(together, alone, atol=0.02, rtol=1e-3)


@pytest.mark.parametrize("name", ["reference", "towards_ok"])
def test_float32_and_bfloat16_agree_within_the_stated_tolerance(name: str) -> None:
    network, pictures = _demo()
    settings = NAMED_ENHANCEMENTS[name]
    difference = (_scores(network, pictures, settings) - _scores(network, pictures, settings, half=True)).abs()
    names = [*CHEAP_NAMES, *ENHANCED_NAMES]
    agreements = [index for index, found in enumerate(names) if "agreement" in found and "plain" not in found]
    # as the module states it; a gain is the difference of two agreements, so its bound is twice theirs
    tolerance = 0.1
    bounds = torch.tensor([tolerance * (1 + names[index].endswith("_gain")) for index in agreements])
    assert bool((difference[:, agreements] <= bounds).all()), difference[:, agreements].amax(0)
    assert float(difference[:, agreements].mean()) <= tolerance / 5


def test_a_wholly_half_precision_network_is_stepped_too() -> None:
    network = small_network().bfloat16()
    with torch.inference_mode():
        pictures = torch.randn(2, 1, 64, 64).bfloat16()
        after = enhance(network, Source(pictures, network.encode(pictures)))
    assert after.tap.dtype == torch.bfloat16
    assert after.margin.dtype == after.cells.dtype == torch.float32


class _Linear(DefectNetwork):
    """Pictures are the maps and the tap is the stride-16 map plus the others' means: slopes are known by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(()))

    @property
    def backbone(self) -> nn.Module:
        return self

    def encode(self, pictures: Tensor) -> Pyramid:
        return dict.fromkeys((8, 16, 32), pictures)

    def decode(self, tap: Tensor, pyramid: Pyramid) -> Tensor:
        del pyramid
        return tap.sum(1)

    def fuse(self, pyramid: Pyramid) -> Tensor:
        return pyramid[8] * 4 - 2 * pyramid[16] + pyramid[32]

    def classify(self, tap: Tensor) -> Classification:
        return Classification(tap.sum(1), tap.sum((1, 2, 3)))


@pytest.mark.parametrize(
    ("settings", "moved"),
    [
        (Enhancement(epsilon=0.5), -0.5),
        (Enhancement(stride=8, epsilon=0.5), 0.5),
        (Enhancement(stride=32, epsilon=0.5, direction="ok"), -0.5),
        (Enhancement(epsilon=0.5, steps=3), -0.5),
        (Enhancement("input", epsilon=2.0), None),
    ],
)
def test_the_step_is_the_one_worked_out_by_hand(settings: Enhancement, moved: float | None) -> None:
    network = _Linear().eval()
    pictures = torch.arange(8.0).reshape(2, 1, 2, 2) * torch.tensor([1.0, 10.0])[:, None, None, None]
    after = enhance(network, Source(pictures, network.encode(pictures), 1 / 40), settings)
    sigma = pictures.std(dim=(1, 2, 3), keepdim=True)
    factor = {8: 4, 16: -2, 32: 1}[settings.stride]
    step = torch.full((1, 1, 1, 1), 3 * 2.0 / 40) if moved is None else factor * moved * sigma
    torch.testing.assert_close(after.tap, (3 * pictures + step).expand_as(pictures))


def test_projected_descent_stays_within_epsilon_and_raises_the_margin_further() -> None:
    network, pictures = _demo()
    with torch.inference_mode():
        source = Source(pictures, network.encode(pictures), _GREY_LEVEL)
        one = enhance(network, source, Enhancement("input", epsilon=2.0))
        three = enhance(network, source, Enhancement("input", epsilon=2.0, steps=3))
    assert float((three.margin - one.margin).mean()) > 0


def test_a_step_towards_ok_lowers_the_margin_where_one_towards_defect_raises_it() -> None:
    network, pictures = _demo()
    with torch.inference_mode():
        output = network(pictures)
        source = Source(pictures, output.pyramid)
        up, down = (enhance(network, source, Enhancement(epsilon=0.01, direction=way)) for way in ("defect", "ok"))
    assert bool((up.margin > output.margin).all())
    assert bool((down.margin < output.margin).all())


def test_a_step_in_input_space_without_the_grey_level_is_refused() -> None:
    network = small_network()
    with pytest.raises(ValueError, match="1 / std"):
        enhance(network, Source(torch.zeros(1, 1, 32, 32), {}), Enhancement("input", epsilon=1.0))


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"epsilon": float("nan")}, {"steps": 0}])
def test_settings_that_would_not_step_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Enhancement(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_broken_map_has_no_agreement_instead_of_an_innocent_one(broken: float) -> None:
    output = small_network()(torch.randn(2, 1, 64, 64))
    cells = output.cells.detach().clone()
    cells[1, 0, 0] = broken
    maps = make_maps(cells, output.tap.detach())
    names = [name for name in CHEAP_NAMES if "agreement" in name]
    found = cheap_ingredients(output, ActivationMaps(maps.defect, maps.normal, maps.agnostic), names)
    assert bool(found[0].isfinite().all())
    assert bool(found[1].isnan().all())
