import numpy as np
import pytest

from linewarden_train.augment import Augment, augment, crop
from linewarden_vision.synthetic.part import make_part


def _defective() -> tuple[np.ndarray, np.ndarray]:
    view = next(view for view in make_part(3, defect_rate=1.0).views if view.defect_class)
    return view.picture, view.mask


def test_flips_move_picture_and_mask_together() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    mask = picture == 1
    for seed in range(8):
        light, moved = augment(picture, mask, Augment(gain=0, offset=0), np.random.default_rng(seed))
        assert moved is not None
        assert light[moved].tolist() == [1.0]


def test_with_everything_switched_off_the_picture_stays() -> None:
    picture, mask = _defective()
    settings = Augment(flip_x=False, flip_y=False, gain=0, offset=0)
    light, same = augment(picture, mask, settings, np.random.default_rng(0))
    np.testing.assert_array_equal(light, picture)
    np.testing.assert_array_equal(same, mask)


def test_crops_keep_the_scale_and_most_of_them_show_the_defect() -> None:
    picture, mask = _defective()
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(50):
        part, part_mask = crop(picture, mask, 96, rng)
        assert part_mask is not None
        assert part.shape == part_mask.shape == (96, 96)
        shown += int(part_mask.any())
    assert shown >= 35


def test_a_picture_without_annotation_is_never_cropped() -> None:
    picture, _ = _defective()
    whole, mask = crop(picture, None, 96, np.random.default_rng(0))
    assert whole is picture
    assert mask is None


def test_a_crop_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        crop(np.zeros((50, 200), np.uint8), np.zeros((50, 200), bool), 96, np.random.default_rng(0))
