import subprocess
import sys

import numpy as np
import pytest

from linewarden_vision.synthetic.defects import DEFECT_CLASSES
from linewarden_vision.synthetic.part import make_part, make_view


def test_the_same_seed_gives_the_same_bytes() -> None:
    first = make_part(7, defect_rate=1.0, difficulty=0.4)
    second = make_part(7, defect_rate=1.0, difficulty=0.4)
    for one, other in zip(first.views, second.views, strict=True):
        assert one.picture.tobytes() == other.picture.tobytes()
        assert one.mask.tobytes() == other.mask.tobytes()
        assert one.defect_class == other.defect_class


def test_other_seeds_and_other_views_give_other_pictures() -> None:
    pictures = {view.picture.tobytes() for seed in range(5) for view in make_part(seed).views}
    assert len(pictures) == 15


@pytest.mark.parametrize("seed", range(12))
def test_a_defect_changes_the_picture_inside_its_mask_and_nowhere_else(seed: int) -> None:
    defective = make_part(seed, defect_rate=1.0, difficulty=0.2)
    flawless = make_part(seed, defect_rate=0.0, difficulty=0.2)
    for view, twin in zip(defective.views, flawless.views, strict=True):
        changed = view.picture != twin.picture
        assert not changed[~view.mask].any()
        if view.defect_class is not None:
            assert changed[view.mask].mean() > 0.8


def test_a_defective_part_shows_its_one_defect_in_one_or_two_views() -> None:
    showing = []
    for seed in range(60):
        part = make_part(seed, defect_rate=1.0)
        assert part.defective
        classes = [view.defect_class for view in part.views if view.defect_class]
        assert len(set(classes)) == 1
        assert all(view.mask.any() == (view.defect_class is not None) for view in part.views)
        showing.append(len(classes))
    assert set(showing) == {1, 2}
    assert showing.count(1) > showing.count(2)


def test_good_parts_have_empty_masks_and_the_rate_is_kept() -> None:
    parts = [make_part(seed, views=1, defect_rate=0.25) for seed in range(300)]
    assert 50 <= sum(part.defective for part in parts) <= 100
    assert not any(view.mask.any() for part in parts if not part.defective for view in part.views)


def test_every_class_occurs() -> None:
    found = {view.defect_class for seed in range(60) for view in make_part(seed, defect_rate=1.0).views}
    assert found == {*DEFECT_CLASSES, None}


def test_a_harder_part_has_less_contrast() -> None:
    def contrast(difficulty: float) -> float:
        total = 0.0
        for seed in range(20):
            part = make_part(seed, defect_rate=1.0, difficulty=difficulty)
            twin = make_part(seed, defect_rate=0.0, difficulty=difficulty)
            for view, clean in zip(part.views, twin.views, strict=True):
                total += float(np.abs(view.picture.astype(int) - clean.picture.astype(int)).max())
        return total

    assert contrast(0.0) > 1.5 * contrast(0.5) > 2 * contrast(1.0)


@pytest.mark.parametrize(
    ("views", "size", "rate", "difficulty"),
    [(0, 160, 0.1, 0.5), (3, 32, 0.1, 0.5), (3, 160, 1.1, 0.5), (3, 160, 0.1, -0.1)],
)
def test_arguments_out_of_range_are_refused(views: int, size: int, rate: float, difficulty: float) -> None:
    with pytest.raises(ValueError, match=r"view|size|difficulty"):
        make_part(0, views=views, size=size, defect_rate=rate, difficulty=difficulty)


def test_the_generator_never_loads_torch() -> None:
    code = "import sys, linewarden_vision.synthetic.demo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_view_drawn_alone_is_the_view_of_the_whole_part(seed: int) -> None:
    whole = make_part(seed, defect_rate=0.5, size=64)
    for index, view in enumerate(whole.views):
        alone = make_view(seed, index, defect_rate=0.5, size=64)
        assert np.array_equal(alone.picture, view.picture)
        assert np.array_equal(alone.mask, view.mask)
        assert alone.defect_class == view.defect_class
