"""Every public layout is recognised and read; what is wrong with a set is said at once."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from linewarden_train.data.checks import UnsoundSet, check_set, inspect_set
from linewarden_train.data.files import FileSamples
from linewarden_train.data.reading import read_picture
from linewarden_train.data.reading_sets import LAYOUTS, read_set, recognise
from linewarden_train.data.samples import GOOD, Picture

SIZE = (20, 30)
GREY: Picture = np.full(SIZE, 90, np.uint8)
BLANK: Picture = np.zeros(SIZE, np.uint8)


def _marked() -> NDArray[np.bool_]:
    mask = np.zeros(SIZE, bool)
    mask[4:7, 10:12] = True
    return mask


MARKED: Picture = _marked().astype(np.uint8) * 255


def write(path: Path, picture: Picture = GREY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def _kolektor(folder: Path) -> None:
    for kos, mask in (("kos01", BLANK), ("kos02", MARKED)):
        write(folder / kos / "Part0.jpg")
        write(folder / kos / "Part0_label.bmp", mask)
    write(folder / "kos02" / "Part1.jpg")
    write(folder / "kos02" / "Part1_label.bmp", BLANK)


def _kolektor2(folder: Path) -> None:
    for split, mask in (("train", BLANK), ("test", MARKED)):
        write(folder / split / "10000.png")
        write(folder / split / "10000_GT.png", mask)


def _mvtec(folder: Path) -> None:
    write(folder / "train" / "good" / "000.png")
    write(folder / "test" / "good" / "000.png")
    write(folder / "test" / "cut" / "000.png")
    write(folder / "ground_truth" / "cut" / "000_mask.png", MARKED)


def _severstal(folder: Path, head: str, rows: list[str]) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write(folder / "train_images" / name)
    (folder / "train.csv").write_text("\n".join([head, *rows]) + "\n")


def _severstal_rows(folder: Path) -> None:
    runs = "205 3 225 3"  # column 10, rows 4 to 6, and column 11
    _severstal(folder, "ImageId,ClassId,EncodedPixels", [f"b.jpg,3,{runs}", "c.jpg,1,1 2", "c.jpg,4,5 9"])


def _severstal_joined(folder: Path) -> None:
    rows = ["a.jpg_1,", "b.jpg_1,", "b.jpg_3,205 3 225 3", "c.jpg_1,1 2", "c.jpg_4,5 9"]
    _severstal(folder, "ImageId_ClassId,EncodedPixels", rows)


def _folders(folder: Path) -> None:
    write(folder / "images" / "good" / "1.png")
    write(folder / "images" / "pore" / "2.png")
    write(folder / "masks" / "pore" / "2.png", MARKED)


def _plain(folder: Path) -> None:
    write(folder / "good" / "1.png")
    write(folder / "bad" / "2.png")
    write(folder / "bad" / "dent" / "3.png")


def _coco(folder: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write(folder / "val2017" / name)
    square = [10, 4, 12, 4, 12, 7, 10, 7]
    runs = {"size": list(SIZE), "counts": [204, 3, 17, 3, 600 - 227]}
    document = {
        "images": [{"id": i, "file_name": f"{n}.png", "height": 20, "width": 30} for i, n in enumerate("abc")],
        "categories": [{"id": 1, "name": "pore"}, {"id": 2, "name": "crack"}],
        "annotations": [
            {"image_id": 0, "category_id": 1, "segmentation": [square], "area": 6},
            {"image_id": 1, "category_id": 2, "segmentation": runs, "area": 6},
            {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "area": 1},
        ],
    }
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(document))


Rows = list[tuple[str, str, str]]
CASES: list[tuple[str, Callable[[Path], None], Rows, str]] = [
    (
        "kolektor-sdd",
        _kolektor,
        [(GOOD, "kos01", ""), ("defect", "kos02", ""), (GOOD, "kos02", "")],
        "kos02/Part0.jpg",
    ),
    (
        "kolektor-sdd2",
        _kolektor2,
        [(GOOD, "train/10000", "train"), ("defect", "test/10000", "test")],
        "test/10000.png",
    ),
    (
        "mvtec",
        _mvtec,
        [
            (GOOD, "train/good/000.png", "train"),
            ("cut", "test/cut/000.png", "test"),
            (GOOD, "test/good/000.png", "test"),
        ],
        "test/cut/000.png",
    ),
    (
        "severstal",
        _severstal_rows,
        [(GOOD, "a.jpg", ""), ("class-3", "b.jpg", ""), ("class-4", "c.jpg", "")],
        "train_images/b.jpg",
    ),
    (
        "severstal",
        _severstal_joined,
        [(GOOD, "a.jpg", ""), ("class-3", "b.jpg", ""), ("class-4", "c.jpg", "")],
        "train_images/b.jpg",
    ),
    ("folders", _folders, [(GOOD, "good/1.png", ""), ("pore", "pore/2.png", "")], "images/pore/2.png"),
    (
        "coco",
        _coco,
        [
            ("pore", "val2017/a.png", "calibration"),
            ("crack", "val2017/b.png", "calibration"),
            (GOOD, "val2017/c.png", "calibration"),
        ],
        "val2017/b.png",
    ),
]


@pytest.mark.parametrize(("layout", "make", "rows", "marked"), CASES, ids=[f"{c[0]}{i}" for i, c in enumerate(CASES)])
def test_a_public_layout_is_recognised_and_read(
    tmp_path: Path, layout: str, make: Callable[[Path], None], rows: Rows, marked: str
) -> None:
    make(tmp_path)
    recognised, saw = recognise(tmp_path)
    assert recognised.name == layout
    assert saw
    samples = read_set(tmp_path)
    assert [(label.defect_class, label.group, label.split) for label in samples.labels] == rows
    assert not check_set(samples).unannotated
    at = [label.name for label in samples.labels].index(marked)
    mask = samples[at].mask
    assert mask is not None
    assert np.array_equal(mask, _marked() if layout != "coco" else mask)
    assert mask.sum() >= 6
    good = samples[[label.defective for label in samples.labels].index(False)]
    assert good.mask is not None
    assert not good.mask.any()


def test_coco_polygons_cover_what_they_enclose_and_run_lengths_are_exact(tmp_path: Path) -> None:
    _coco(tmp_path)
    polygon, runs = (read_set(tmp_path)[index].mask for index in range(2))
    assert polygon is not None
    assert runs is not None
    assert polygon[4:7, 10:12].all()
    assert polygon.sum() <= 12
    assert np.array_equal(runs, _marked())


def test_two_plain_folders_are_read_without_masks_and_a_folder_inside_names_a_class(tmp_path: Path) -> None:
    _plain(tmp_path)
    with pytest.warns(UserWarning, match="2 defective pictures have no mask"):
        samples = read_set(tmp_path)
    assert [label.defect_class for label in samples.labels] == [GOOD, "defect", "dent"]
    assert inspect_set(samples).unannotated == ["bad/2.png", "bad/dent/3.png"]


def test_an_unknown_folder_is_told_every_layout_and_what_each_needs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no layout that is known") as told:
        read_set(tmp_path)
    assert all(f"{layout.name}: {layout.needs}" in str(told.value) for layout in LAYOUTS)
    _mvtec(tmp_path / "bottle")
    with pytest.raises(ValueError, match="bottle inside it would do"):
        read_set(tmp_path)


def test_a_folder_of_two_layouts_is_read_only_under_the_name_of_one(tmp_path: Path) -> None:
    _plain(tmp_path)
    _folders(tmp_path)
    with pytest.raises(ValueError, match=r"several layouts: folders .* plain"):
        read_set(tmp_path)
    assert len(read_set(tmp_path, "folders")) == 2
    with pytest.raises(ValueError, match="layout 'foldres' is none of auto"):
        read_set(tmp_path, "foldres")
    with pytest.raises(ValueError, match="cannot be read as severstal"):
        read_set(tmp_path, "severstal")


def test_groups_csv_joins_pictures_of_any_layout_and_may_not_name_strangers(tmp_path: Path) -> None:
    _mvtec(tmp_path)
    (tmp_path / "groups.csv").write_text("image,group\ntrain/good/000.png,p\ntest/cut/000.png,p\n")
    assert [label.group for label in read_set(tmp_path).labels] == ["p", "p", "test/good/000.png"]
    (tmp_path / "groups.csv").write_text("image,group\nelsewhere.png,p\n")
    with pytest.raises(ValueError, match=r"1 pictures with a group are not in the set: elsewhere\.png"):
        read_set(tmp_path)
    (tmp_path / "groups.csv").write_text("picture\na\n")
    with pytest.raises(ValueError, match="needs the columns image, group"):
        read_set(tmp_path)


def test_depth_and_colour_are_kept_and_colours_are_in_order(tmp_path: Path) -> None:
    deep = np.arange(600, dtype=np.uint16).reshape(SIZE) * 100
    blue = np.zeros((*SIZE, 3), np.uint8)
    blue[..., 0] = 200
    write(tmp_path / "deep.png", deep)
    write(tmp_path / "blue.png", blue)
    assert np.array_equal(read_picture(tmp_path / "deep.png"), deep)
    assert read_picture(tmp_path / "blue.png")[0, 0].tolist() == [0, 0, 200]


@pytest.mark.parametrize("levels", [1, 3, 200])
def test_a_lossless_mask_may_hold_zeros_and_ones_or_class_numbers(tmp_path: Path, levels: int) -> None:
    _folders(tmp_path)
    write(tmp_path / "masks" / "pore" / "2.png", _marked().astype(np.uint8) * levels)
    mask = read_set(tmp_path)[1].mask
    assert mask is not None
    assert np.array_equal(mask, _marked())


def _broken(folder: Path) -> FileSamples:
    for number in range(6):
        write(folder / "images" / "pore" / f"{number}.jpg")
        write(folder / "masks" / "pore" / f"{number}.png", MARKED)
    write(folder / "images" / "good" / "6.png")
    write(folder / "masks" / "pore" / "0.png", BLANK)
    write(folder / "masks" / "pore" / "1.png", np.full((9, 9), 255, np.uint8))
    (folder / "images" / "pore" / "2.jpg").write_bytes(b"no picture")
    cut = folder / "images" / "pore" / "3.jpg"
    cut.write_bytes(cut.read_bytes()[:-20])
    (folder / "images" / "pore" / "4.jpg").write_bytes(b"")
    (folder / "masks" / "pore" / "4.png").write_bytes(b"no mask")
    (folder / "masks" / "pore" / "5.png").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_set(folder)


def test_everything_wrong_with_a_set_is_listed_at_once(tmp_path: Path) -> None:
    seen: list[int] = []
    samples = _broken(tmp_path)
    with pytest.raises(UnsoundSet) as told:
        check_set(samples, seen.append)
    text = str(told.value)
    assert text.startswith("4 errors in 7 pictures:")
    assert "1.png is 9 x 9 pixels, its picture 30 x 20 pixels" in text
    assert "2.jpg: not a picture" in text
    assert "3.jpg: the image/jpeg is cut short" in text
    assert "4.jpg: not a picture" in text
    assert "4.png: not a picture" in text
    assert told.value.report.unannotated == ["images/pore/0.jpg", "images/pore/5.jpg"]
    assert seen == list(range(1, 8))


def test_a_long_list_of_errors_is_cut_and_counted(tmp_path: Path) -> None:
    for number in range(25):
        write(tmp_path / "images" / "good" / f"{number:02}.png")
    samples = read_set(tmp_path)
    for entry in samples.entries:
        entry.picture.write_bytes(b"?")
    with pytest.raises(UnsoundSet, match=r"25 errors[\s\S]*and 5 more") as told:
        check_set(samples)
    assert len(told.value.report.errors) == 25


def test_a_name_that_occurs_twice_is_an_error(tmp_path: Path) -> None:
    _folders(tmp_path)
    samples = read_set(tmp_path)
    doubled = FileSamples([*samples.entries, samples.entries[0]])
    assert inspect_set(doubled).errors == ["images/good/1.png occurs 2 times"]


@pytest.mark.parametrize("runs", ["5", "0 4", "599 9", "a b"])
def test_run_lengths_that_make_no_sense_are_errors_of_their_picture(tmp_path: Path, runs: str) -> None:
    _severstal(tmp_path, "ImageId,ClassId,EncodedPixels", [f"b.jpg,3,{runs}"])
    (error,) = inspect_set(read_set(tmp_path)).errors
    assert "train.csv, b.jpg" in error


def test_a_missing_label_file_of_kolektor_is_an_error_rather_than_a_good_part(tmp_path: Path) -> None:
    _kolektor2(tmp_path)
    (tmp_path / "train" / "10000_GT.png").unlink()
    (error,) = inspect_set(read_set(tmp_path)).errors
    assert error.endswith("10000_GT.png is missing")


def test_a_picture_that_only_the_table_knows_is_missing(tmp_path: Path) -> None:
    _severstal(tmp_path, "ImageId,ClassId,EncodedPixels", ["z.jpg,3,1 2"])
    (error,) = inspect_set(read_set(tmp_path)).errors
    assert error.endswith("z.jpg: the file is missing")


@pytest.mark.parametrize(
    "text", ['{"images": [1], "annotations": [], "categories": []}', '{"images" "annotations" "categories"}']
)
def test_json_that_is_almost_coco_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(ValueError, match=r"labels\.json"):
        read_set(tmp_path)
