from pathlib import Path

import cv2
import numpy as np
import pytest

from linewarden_train.data.files import FileSamples
from linewarden_train.data.groups import check_apart, mixed_groups, split_by_group
from linewarden_train.data.magnetic_tile import read_magnetic_tiles
from linewarden_train.data.reading_sets import read_set
from linewarden_train.data.samples import GOOD
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.training.inputs import InputSamples, InputSettings, picture_spec


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def _tiles(folder: Path) -> None:
    grey = np.full((40, 60), 90, np.uint8)
    marked = np.zeros((40, 60), np.uint8)
    marked[3:6, 10:20] = 255
    for name in ("a", "b", "c", "d"):
        _write(folder / "images" / f"{name}.jpg", grey)
    _write(folder / "masks" / "a.png", marked)
    _write(folder / "masks" / "b.png", np.zeros_like(marked))
    (folder / "parts.csv").write_text(
        "image,class,defective,group,split\n"
        "a.jpg,crack,1,g1,train\nb.jpg,uneven,1,g2,train\nc.jpg,free,0,g1,train\nd.jpg,free,0,g3,test\n"
    )


def test_tiles_come_with_masks_groups_and_unannotated_defects(tmp_path: Path) -> None:
    _tiles(tmp_path)
    tiles = read_magnetic_tiles(tmp_path, "train")
    assert [(label.defect_class, label.group) for label in tiles.labels] == [
        ("crack", "g1"),
        ("uneven", "g2"),
        (GOOD, "g1"),
    ]
    marked, unmarked, good = (tiles[index].mask for index in range(3))
    assert marked is not None
    assert int(marked.sum()) == 30
    assert unmarked is None
    assert good is not None
    assert not good.any()
    assert mixed_groups(tiles.labels) == ["g1"]


@pytest.mark.parametrize("text", ["image,class\na.jpg,free\n", ""])
def test_a_table_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "parts.csv").write_text(text)
    with pytest.raises(ValueError, match="needs the columns"):
        read_magnetic_tiles(tmp_path)


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    _tiles(tmp_path)
    with pytest.raises(ValueError, match="no split 'validation'"):
        read_magnetic_tiles(tmp_path, "validation")


def test_folders_give_classes_by_name_and_warn_about_missing_masks(tmp_path: Path) -> None:
    grey = np.full((40, 40), 90, np.uint8)
    _write(tmp_path / "images" / "good" / "1.png", grey)
    _write(tmp_path / "images" / "pore" / "2.png", grey)
    (tmp_path / "groups.csv").write_text("image,group\npore/2.png,part-7\n")
    with pytest.warns(UserWarning, match="1 defective pictures have no mask"):
        samples = read_set(tmp_path, "folders")
    assert [(label.defect_class, label.group) for label in samples.labels] == [
        ("good", "good/1.png"),
        ("pore", "part-7"),
    ]
    assert samples[1].mask is None


def test_an_empty_folder_says_where_pictures_belong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="images/good"):
        read_set(tmp_path, "folders")


def test_a_broken_or_missing_picture_is_named(tmp_path: Path) -> None:
    _tiles(tmp_path)
    (tmp_path / "images" / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "images" / "b.jpg").unlink()
    tiles: FileSamples = read_magnetic_tiles(tmp_path, "train")
    with pytest.raises(ValueError, match=r"a\.jpg: not a picture"):
        tiles[0]
    with pytest.raises(ValueError, match=r"b\.jpg: the file is missing"):
        tiles[1]


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    _tiles(tmp_path)
    _write(tmp_path / "masks" / "a.png", np.full((20, 20), 255, np.uint8))
    with pytest.raises(ValueError, match="its picture"):
        read_magnetic_tiles(tmp_path, "train")[0]


def test_samples_are_stretched_to_the_grid_and_their_masks_with_them(tmp_path: Path) -> None:
    _tiles(tmp_path)
    samples = read_magnetic_tiles(tmp_path, "train")
    spec = picture_spec(samples, InputSettings(scale=2.0))
    assert (spec.height, spec.width, spec.pad) == (64, 128, "stretch")
    brought = InputSamples(samples, spec)[0]
    assert brought.mask is not None
    assert brought.picture.shape == brought.mask.shape == (64, 128)
    assert brought.mask.mean() == pytest.approx(30 / (40 * 60), rel=0.3)


def test_folds_never_tear_a_group_apart_and_share_the_defects() -> None:
    samples = SyntheticSamples(range(18), defect_rate=0.5, difficulties=[0.2], views=2, size=64)
    folds = split_by_group(samples, 3, np.random.default_rng(0))
    assert sum(len(fold) for fold in folds) == len(samples)
    for first in range(3):
        assert any(label.defective for label in folds[first].labels)
        for second in range(first):
            check_apart(folds[first], folds[second])
    with pytest.raises(ValueError, match="both sides"):
        check_apart(samples, folds[0])
    assert folds[0][0].label == folds[0].labels[0]


def test_more_folds_than_groups_are_refused() -> None:
    samples = SyntheticSamples([0], defect_rate=0.5, difficulties=[0.2], views=2, size=64)
    with pytest.raises(ValueError, match="1 groups cannot fill"):
        split_by_group(samples, 2, np.random.default_rng(0))
