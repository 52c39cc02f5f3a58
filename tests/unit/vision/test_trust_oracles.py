"""The closed forms and the step's slope against the libraries of the field, grad-cam and captum."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, Saliency
from pytorch_grad_cam import FEM, EigenCAM, GradCAM
from torch import Tensor, nn

from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.enhancement import Enhancement, Response, Source, enhance
from linewarden_vision.trust.maps import class_agnostic, make_maps
from tests.unit.vision.helpers import small_network


class _Logits(nn.Module):
    """What the libraries expect: pictures in, the two logits out; their difference is the margin."""

    def __init__(self, network: DefectNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        half = self.network(pictures).margin / 2
        return torch.stack([-half, half], dim=1)


class _MeanHead(nn.Module):
    """The tap under average pooling alone: there the gradient is the same in all cells."""

    def __init__(self, network: DefectNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        tap = self.network.fuse(self.network.encode(pictures))
        margin = torch.einsum("bchw,c->bhw", tap, self.network.head.direction).mean((1, 2))
        return torch.stack([-margin / 2, margin / 2], dim=1)


def _margin_of(logits: Tensor) -> Tensor:
    return logits[1] - logits[0]


def _against_margin(logits: Tensor) -> Tensor:
    return logits[0] - logits[1]


@pytest.fixture
def network() -> DefectNetwork:
    return small_network()


@pytest.fixture
def pictures() -> Tensor:
    return torch.randn(3, 1, 96, 96, generator=torch.Generator().manual_seed(5))


def _raw_cam(cam: GradCAM | EigenCAM | FEM, pictures: Tensor, targets: list[object]) -> Tensor:
    """The library's map before it is scaled between its own extremes and resized."""
    cam.forward(pictures, targets)
    found = cam.activations_and_grads
    gradients = found.gradients[0].numpy() if found.gradients else None
    raw = cam.get_cam_image(pictures, cam.target_layers[0], targets, found.activations[0].numpy(), gradients, False)
    return torch.from_numpy(np.asarray(raw, np.float32))


def _same_up_to_scale(ours: Tensor, theirs: Tensor, tolerance: float = 1e-3) -> None:
    for one, other in zip(ours.flatten(1), theirs.flatten(1), strict=True):
        assert float(one.norm()) > 0
        torch.testing.assert_close(one / one.norm(), other / other.norm(), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("which", "target"), [("defect", _margin_of), ("normal", _against_margin)])
def test_the_class_maps_are_grad_cams_at_the_tap_up_to_their_scale(
    network: DefectNetwork, pictures: Tensor, which: str, target: object
) -> None:
    with torch.no_grad():
        output = network(pictures)
    ours = getattr(make_maps(output.cells, output.tap), which)
    with GradCAM(_MeanHead(network), [network.fusion.smooth]) as cam:
        _same_up_to_scale(ours, torch.relu(_raw_cam(cam, pictures, [target] * 3)))


def test_the_heads_own_pooling_changes_the_library_map_by_a_factor_alone(
    network: DefectNetwork, pictures: Tensor
) -> None:
    with torch.no_grad():
        output = network(pictures)
    with GradCAM(_Logits(network), [network.fusion.smooth]) as cam:
        _same_up_to_scale(output.cells, _raw_cam(cam, pictures, [_margin_of] * 3))


def test_the_eigen_map_is_eigen_cams_on_the_centred_tap(network: DefectNetwork, pictures: Tensor) -> None:
    with torch.no_grad():
        tap = network(pictures).tap
    with EigenCAM(_Logits(network), [network.fusion.smooth]) as cam:
        theirs = _raw_cam(cam, pictures, [_margin_of] * 3).abs()
    centred = tap - tap.mean((2, 3), keepdim=True)  # the library always centres; the variant does not
    torch.testing.assert_close(class_agnostic(centred, "eigen"), theirs, rtol=1e-2, atol=1e-3 * float(theirs.max()))


def test_the_fem_map_is_the_librarys(network: DefectNetwork, pictures: Tensor) -> None:
    with torch.no_grad():
        tap = network(pictures).tap
    with FEM(_Logits(network), [network.fusion.smooth]) as cam:
        theirs = _raw_cam(cam, pictures, [_margin_of] * 3)
    torch.testing.assert_close(class_agnostic(tap, "fem"), theirs, rtol=1e-3, atol=1e-5)


def test_captums_grad_cam_agrees_too(network: DefectNetwork, pictures: Tensor) -> None:
    with torch.no_grad():
        output = network(pictures)
    theirs = LayerGradCam(_MeanHead(network), network.fusion.smooth).attribute(
        pictures, target=1, relu_attributions=True
    )
    _same_up_to_scale(make_maps(output.cells, output.tap).defect, theirs.detach()[:, 0])


def test_the_step_in_input_space_follows_captums_saliency(network: DefectNetwork, pictures: Tensor) -> None:
    slope = Saliency(_Logits(network)).attribute(pictures.clone().requires_grad_(), target=1, abs=False)
    with torch.no_grad():
        output = network(pictures)
        ours = enhance(network, Source(pictures, output.pyramid, 1 / 50), Enhancement("input", epsilon=1.0))
        theirs = Response.of(network(pictures + slope.sign() / 50))
    torch.testing.assert_close(ours.tap, theirs.tap, rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(ours.margin, theirs.margin, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("knows_before", [False, True])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_step_in_feature_space_follows_captums_saliency_at_that_level(
    network: DefectNetwork, pictures: Tensor, stride: int, *, knows_before: bool
) -> None:
    with torch.no_grad():
        output = network(pictures)
    pyramid = output.pyramid

    def margins(level: Tensor) -> Tensor:
        return network.classify(network.fuse({**pyramid, stride: level})).margin

    level = pyramid[stride]
    slope = Saliency(margins).attribute(level.clone().requires_grad_(), abs=False)
    sigma = level.std(dim=(1, 2, 3), keepdim=True)
    with torch.no_grad():
        theirs = margins(level + 0.15 * sigma * slope.sign())
        before = Response.of(output) if knows_before else None
        ours = enhance(network, Source(pictures, pyramid), Enhancement(stride=stride), before)  # type: ignore[arg-type]
    torch.testing.assert_close(ours.margin, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_slope_in_closed_form_is_autograds(network: DefectNetwork, pictures: Tensor, stride: int) -> None:
    with torch.no_grad():
        output = network(pictures)
    level = output.pyramid[stride].clone().requires_grad_()
    tap = network.fuse({**output.pyramid, stride: level})
    (theirs,) = torch.autograd.grad(network.classify(tap).margin.sum(), level)
    with torch.no_grad():
        at_tap = network.head.slope(output.cells)
        ours = network.fusion.pull_back(at_tap, output.tap, output.pyramid, stride)
    assert theirs.abs().max() > 0
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6 * float(theirs.abs().max()) + 1e-9)
