"""Large pictures: a network that sees only small neighbourhoods cannot tell tiles from the whole."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linewarden_vision.card import Card, PictureSpec
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.head import Classification
from linewarden_vision.network.interface import DefectNetwork, Pyramid
from linewarden_vision.stitching import passes
from tests.unit.vision.helpers import SIZE, pictures, small_card, small_network


class Local(DefectNetwork):
    """Every cell and every mask logit is a function of the pixels below it alone; the margin is the largest cell."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    @property
    def backbone(self) -> nn.Module:
        return nn.Identity()

    def encode(self, pictures: Tensor) -> Pyramid:
        self.seen.append(tuple(pictures.shape))
        return {stride: nn.functional.avg_pool2d(pictures, stride) for stride in (2, 8, 16, 32)}

    def fuse(self, pyramid: Pyramid) -> Tensor:
        return pyramid[8].abs()

    def classify(self, tap: Tensor) -> Classification:
        cells = tap.mean(1)
        return Classification(cells, cells.flatten(1).amax(1))

    def decode(self, tap: Tensor, pyramid: Pyramid) -> Tensor:
        return pyramid[2].mean(1)


def card(**changes: object) -> Card:
    plain = small_card(defect=1e6)
    trust = plain.trust.model_copy(update={"second": None})
    picture = PictureSpec.model_validate({**plain.picture.model_dump(), "height": 64, "width": 64, **changes})
    return plain.model_copy(update={"picture": picture, "trust": trust})


def scored(shown: np.ndarray, **changes: object) -> Any:
    inspector = Inspector(card(**changes), Local().eval())
    return inspector.score([inspector.prepare(shown)])[0]


@pytest.mark.parametrize("overlap", [0, 16, 32])
@pytest.mark.parametrize("scale", [1.0, 0.5, 1.5])
def test_no_seam_shows_where_tiles_meet(overlap: int, scale: float) -> None:
    shown = pictures(1, size=256)[0][:230, :171]
    tiled = scored(shown, overlap=overlap, scale=scale)
    whole = scored(shown, height=512, width=512, scale=scale)
    assert tiled.mask.any()
    assert (tiled.mask == whole.mask).mean() > 0.9999  # rounding decides at the threshold itself
    assert np.abs(tiled.class_specific.astype(int) - whole.class_specific).max() <= 1
    assert np.abs(tiled.class_agnostic.astype(int) - whole.class_agnostic).max() <= 1
    assert tiled.margin == pytest.approx(whole.margin, abs=1e-5)


def test_margin_and_suspicion_are_those_of_the_worst_tile() -> None:
    inspector = Inspector(small_card(defect=1e6), small_network())
    shown = pictures(1, size=SIZE + 64)[0]
    corners = [shown[top : top + SIZE, left : left + SIZE] for top in (0, 32, 64) for left in (0, 32, 64)]
    tiled = Inspector(
        small_card(defect=1e6).model_copy(
            update={"picture": small_card().picture.model_copy(update={"overlap": SIZE - 32})}
        ),
        small_network(),
    )
    whole = tiled.score([tiled.prepare(shown)])[0]
    single = inspector.score([inspector.prepare(np.ascontiguousarray(corner)) for corner in corners])
    assert whole.margin == pytest.approx(max(score.margin for score in single), abs=1e-4)
    worst = max(single, key=lambda score: score.suspicion)
    assert whole.suspicion == pytest.approx(worst.suspicion, abs=1e-4)
    assert whole.ingredients == pytest.approx(worst.ingredients, abs=1e-3)


def test_pictures_of_unequal_shapes_come_back_in_their_order_and_score_as_alone() -> None:
    inspector = Inspector(card(pad="multiple"), Local().eval(), max_batch=3)
    shown = [pictures(1, size=256)[0][: 40 + 25 * n, : 90 - 10 * n] for n in range(6)]
    together = inspector.score([inspector.prepare(picture) for picture in shown])
    for picture, score in zip(shown, together, strict=True):
        alone = inspector.score([inspector.prepare(picture)])[0]
        assert score.mask.shape == picture.shape
        assert score.margin == pytest.approx(alone.margin, abs=1e-5)
        assert (score.mask == alone.mask).all()


def test_a_device_pass_holds_one_shape_and_never_more_than_its_bound() -> None:
    network = Local().eval()
    inspector = Inspector(card(pad="multiple"), network, max_batch=5)
    prepared = [inspector.prepare(picture[: 30 + 60 * (n % 3)]) for n, picture in enumerate(pictures(7, size=160))]
    inspector.score(prepared)
    assert max(shape[0] for shape in network.seen) <= 5
    assert sum(shape[0] for shape in network.seen) == sum(len(one.origins) for one in prepared)
    assert len(network.seen) <= sum(len(one.origins) for one in prepared) // 5 + 3


def test_tiles_are_views_so_that_a_huge_picture_is_not_copied() -> None:
    inspector = Inspector(card(), Local().eval())
    prepared = inspector.prepare(pictures(1, size=256)[0])
    for tiles in passes([prepared], 4):
        assert all(np.shares_memory(tile.pixels, prepared.pixels) for tile in tiles)


def test_a_defect_in_one_tile_is_found_in_a_picture_of_many_megapixels() -> None:
    shown = np.tile(np.asarray([[90, 110], [110, 90]], np.uint8), (1000, 1500))
    shown[1234:1250, 2345:2361] = 255
    score = scored(shown, brightness=(0, 255), contrast=(0, 200), height=512, width=512)
    assert score.mask.shape == shown.shape
    assert score.mask[1234:1250, 2345:2361].all()
    assert score.mask.sum() < 20 * 20
    assert torch.is_inference_mode_enabled() is False
