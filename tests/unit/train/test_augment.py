import numpy as np

from linewarden_train.training.augment import Augment, augment, window
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


def test_light_stays_on_the_scale_and_leaves_the_mask_alone() -> None:
    picture, mask = _defective()
    settings = Augment(flip_x=False, flip_y=False, gain=0.5, offset=40, gamma=0.5, shade=60, noise=10)
    lit, same = augment(picture, mask, settings, np.random.default_rng(1))
    assert lit.dtype == np.float32
    assert 0 <= lit.min() <= lit.max() <= 255
    assert np.abs(lit - picture).mean() > 1
    np.testing.assert_array_equal(same, mask)


def test_windows_keep_the_pixels_and_most_of_them_show_the_defect() -> None:
    picture, mask = _defective()
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(50):
        part, part_mask = window(picture, mask, (96, 96), Augment(), rng)
        assert part.shape == part_mask.shape == (96, 96)
        assert set(map(bytes, part[:, :8].copy())) <= _rows_of(picture)
        shown += int(part_mask.any())
    assert shown >= 35


def test_a_turned_window_moves_the_mask_with_the_defect() -> None:
    picture = np.zeros((120, 160), np.uint8)
    mask = np.zeros((120, 160), bool)
    picture[50:70, 60:90], mask[50:70, 60:90] = 250, True
    for seed in range(10):
        settings = Augment(turn=30, zoom=1.3)
        part, part_mask = window(picture, mask, (96, 96), settings, np.random.default_rng(seed), centred=1)
        overlap = ((part > 125) & part_mask).sum() / ((part > 125) | part_mask).sum()
        assert overlap > 0.95


def test_a_window_larger_than_the_picture_mirrors_picture_and_mask() -> None:
    picture = np.arange(50 * 60, dtype=np.uint16).reshape(50, 60).astype(np.uint8)
    mask = picture == 7
    part, part_mask = window(picture, mask, (96, 96), Augment(), np.random.default_rng(0))
    assert part.shape == (96, 96)
    assert set(part[part_mask].tolist()) == {7}
    assert part_mask.sum() >= mask.sum()


def _rows_of(picture: np.ndarray) -> set[bytes]:
    views = np.lib.stride_tricks.sliding_window_view(picture, 8, axis=1)
    return {bytes(view) for view in views.reshape(-1, 8).copy()}
