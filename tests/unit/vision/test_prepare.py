from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewarden_vision.card import PictureSpec
from linewarden_vision.errors import UnusablePicture
from linewarden_vision.prepare import prepare_picture, regions, restore_logits
from linewarden_vision.tiles import blend, lay_out


def spec(**changes: object) -> PictureSpec:
    plain = PictureSpec(height=96, width=64, channels=1, mean=100, std=50, brightness=(0, 255), contrast=(0, 200))
    return PictureSpec.model_validate({**plain.model_dump(), **changes})


def noise(*shape: int, most: int = 255, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, most + 1, shape).astype(dtype)


@given(st.integers(1, 700), st.integers(1, 500), st.integers(0, 200), st.sampled_from(["full", "multiple"]))
def test_tiles_cover_every_pixel_and_share_at_least_the_overlap(
    height: int, width: int, overlap: int, pad: str
) -> None:
    layout = lay_out((height, width), spec(overlap=overlap, pad=pad))
    for axis, (side, most) in enumerate(zip((height, width), (96, 64), strict=True)):
        starts = sorted({origin[axis] for origin in layout.origins})
        assert starts[0] == 0
        assert starts[-1] + layout.tile[axis] == layout.padded[axis] >= side
        assert layout.padded[axis] - side < (most if pad == "full" and side < most else 32)
        assert all(
            later - earlier <= layout.tile[axis] - min(overlap, most - 32) for earlier, later in pairwise(starts)
        )
        assert all(start % 32 == 0 for start in starts)
        assert layout.tile[axis] % 32 == 0
        assert np.sum(
            [
                np.pad(weights, (start, layout.padded[axis] - start - layout.tile[axis]))
                for start, weights in blend(starts, layout.tile[axis], layout.padded[axis]).items()
            ],
            axis=0,
        ) == pytest.approx(1.0)


def test_a_picture_that_fits_is_one_tile_with_its_pixels_untouched() -> None:
    picture = noise(70, 50)
    prepared = prepare_picture(picture, spec())
    assert prepared.origins == ((0, 0),)
    assert prepared.tile == prepared.pixels.shape[:2] == (96, 64)
    assert (prepared.pixels[:70, :50, 0] == picture).all()
    assert (prepared.pixels[70:, :50, 0] == picture[-1]).all()


def test_padding_to_a_multiple_of_32_is_no_more_than_the_network_needs() -> None:
    assert prepare_picture(noise(40, 30), spec(pad="multiple")).pixels.shape == (64, 32, 1)
    tall = prepare_picture(noise(200, 30), spec(pad="multiple"))
    assert (tall.tile, tall.pixels.shape) == ((96, 32), (224, 32, 1))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_every_picture_is_brought_to_one_scale_and_its_mask_back_to_its_own_size(scale: float) -> None:
    picture = np.full((151, 90), 50, np.uint8)
    picture[60:100, 30:70] = 220
    prepared = prepare_picture(picture, spec(scale=scale))
    assert prepared.inner == (round(151 * scale), round(90 * scale))
    mask = regions(restore_logits(prepared.pixels[:, :, 0].astype(np.float32), prepared), 128)
    assert mask.shape == picture.shape
    assert (mask != (picture > 128)).sum() <= 2 * (40 + 40)


def test_a_region_that_never_reaches_the_peak_is_dropped_and_another_is_kept_whole() -> None:
    logits = np.full((6, 9), -4.0, np.float32)
    logits[1:3, 1:3] = 1.0  # weak throughout
    logits[2:5, 5] = 1.0
    logits[5, 6] = 3.0  # touches the column by a corner alone
    kept = regions(logits, 0.5, 2.5)
    assert kept.sum() == 4
    assert kept[2:5, 5].all()
    assert kept[5, 6]
    assert regions(logits, 0.5).sum() == 8
    assert not regions(logits, 0.5, 3.5).any()
    assert not regions(logits, 5.0, 6.0).any()


def test_a_large_picture_is_neither_shrunk_nor_squashed() -> None:
    picture = noise(300, 200)
    prepared = prepare_picture(picture, spec())
    assert prepared.inner == prepared.native == (300, 200)
    assert len(prepared.origins) > 6
    assert (prepared.pixels[:300, :200, 0] == picture).all()


def test_twelve_bits_in_sixteen_are_scaled_by_their_own_white() -> None:
    picture = noise(96, 64, most=4095, dtype=np.uint16)
    prepared = prepare_picture(picture, spec(levels=4095.0))
    assert prepared.pixels[:, :, 0] == pytest.approx(picture / 4095 * 255, abs=1e-4)
    assert np.unique(prepared.pixels).size > 2000  # the depth is kept


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        (noise(96, 64, most=60_000, dtype=np.uint16), "lies above the white"),
        (noise(96, 64), "8 bits"),
    ],
)
def test_a_depth_that_is_not_the_cameras_is_refused(picture: np.ndarray, text: str) -> None:
    with pytest.raises(UnusablePicture, match=text) as caught:
        prepare_picture(picture, spec(levels=4095.0))
    assert caught.value.reason == "levels"


def test_a_white_below_255_stretches_eight_bits() -> None:
    prepared = prepare_picture(noise(96, 64, most=200), spec(levels=200.0))
    assert prepared.pixels.max() == pytest.approx(255)


def test_alpha_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnusablePicture, match="without alpha"):
        prepare_picture(noise(96, 64, 4), spec())


def test_colour_and_grey_are_taken_by_either_kind_of_network() -> None:
    colour, grey = noise(96, 64, 3, most=65535, dtype=np.uint16), noise(96, 64, 1)
    assert prepare_picture(colour, spec()).pixels.shape == (96, 64, 1)
    rgb = prepare_picture(grey, spec(channels=3)).pixels
    assert rgb.shape == (96, 64, 3)
    assert (rgb == grey).all()


def test_a_picture_that_would_grow_beyond_all_bounds_is_refused_before_it_grows() -> None:
    with pytest.raises(UnusablePicture, match="in all are allowed") as caught:
        prepare_picture(np.zeros((1500, 1500), np.uint8), spec(scale=8.0))
    assert caught.value.reason == "size"
