import math

import pytest
import torch

from linewarden_vision.network.build import NetworkName, build_network
from linewarden_vision.network.head import LinearHead
from linewarden_vision.network.interface import upsample_mask
from tests.unit.vision.helpers import small_network


@pytest.mark.parametrize(
    ("name", "encoder", "mask_side"), [("light", "mobilenetv3_small_050", 32), ("nested", "resnet18", 64)]
)
def test_both_networks_fill_the_same_record(name: NetworkName, encoder: str, mask_side: int) -> None:
    network = build_network(name, encoder, 1).eval()
    with torch.inference_mode():
        output = network(torch.randn(2, 1, 64, 64))
    assert output.margin.shape == (2,)
    assert output.cells.shape == (2, 8, 8)
    assert output.tap.shape == (2, 64, 8, 8)
    assert output.mask_logits.shape == (2, mask_side, mask_side)
    assert upsample_mask(output.mask_logits, (64, 64)).shape == (2, 64, 64)
    assert bool((output.tap >= 0).all())


def test_an_encoder_without_the_needed_strides_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"edgenext_xx_small.*strides"):
        build_network("light", "edgenext_xx_small", 1)


def test_the_class_map_is_linear_in_the_tap_and_pools_to_the_margin() -> None:
    head = LinearHead(4)
    tap = torch.randn(3, 4, 10, 10)
    with torch.no_grad():
        head.bias.fill_(0.25)
        result = head(tap)
    cells = torch.einsum("bchw,c->bhw", tap, head.direction)
    torch.testing.assert_close(result.cells, cells)
    top = cells.flatten(1).sort(1, descending=True).values[:, : math.ceil(0.02 * 100)]
    torch.testing.assert_close(result.margin, 0.5 * cells.mean((1, 2)) + 0.5 * top.mean(1) + 0.25)


def test_a_picture_alone_scores_as_in_a_batch() -> None:
    network = small_network()
    pictures = torch.randn(5, 1, 96, 96)
    with torch.inference_mode():
        together = network(pictures)
        alone = [network(pictures[index : index + 1]) for index in range(5)]
    torch.testing.assert_close(together.margin, torch.cat([one.margin for one in alone]), atol=1e-4, rtol=1e-4)
