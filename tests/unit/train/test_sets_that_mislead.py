"""Sets whose files contradict each other are told by name; what is read is read by a stated rule."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linewarden_train.data.checks import inspect_set
from linewarden_train.data.reading_sets import read_set
from tests.support.picture_files import cut_between_markers, encoded, textured

BOX = np.s_[10:20, 12:22]
Array = np.ndarray[Any, np.dtype[Any]]


def mask(value: int = 255, **more: int) -> Array:
    drawn = np.zeros((40, 56), np.uint8)
    drawn[8:22, 10:24] = more.get("border", 0)
    drawn[BOX] = value
    return drawn


def write(path: Path, picture: Array) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture, path.suffix))
    return path


def folders(root: Path, *masks: Array) -> Path:
    write(root / "images/good/g.png", textured())
    for number, drawn in enumerate(masks):
        write(root / f"images/crack/{number}.png", textured(seed=number))
        write(root / f"masks/crack/{number}.png", drawn)
    return root


def same(root: Path, index: int, drawn: Array) -> bool:
    """Whether a picture's mask is this one."""
    found = read_set(root)[index].mask
    return found is not None and np.array_equal(found, drawn)


def errors(root: Path) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return inspect_set(read_set(root)).errors


def test_masks_with_a_border_that_nobody_is_to_care_about_are_refused_with_their_values(tmp_path: Path) -> None:
    found = errors(folders(tmp_path, mask(1, border=255), mask(2, border=255)))
    assert len(found) == 2
    assert "crack/0.png holds the values 0, 1, 255" in found[0]


@pytest.mark.parametrize(
    "drawn", [mask(255, border=128), mask(1) + np.uint8(1), np.dstack([mask(224), mask(0), mask(128, border=200)])]
)
def test_other_values_than_one_beside_nothing_are_refused(tmp_path: Path, drawn: Array) -> None:
    assert "holds the values" in errors(folders(tmp_path, drawn))[0]


def test_class_numbers_and_soft_edges_are_read_by_the_stated_rule(tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(mask(), (0, 0), 2)
    numbers, edges = folders(tmp_path / "numbers", mask(1, border=3)), folders(tmp_path / "soft", soft)
    assert errors(numbers) == errors(edges) == []
    assert same(numbers, 0, mask(1, border=3) > 0)
    assert same(edges, 0, np.asarray(soft) > 127)


def test_masks_of_a_set_that_mark_in_two_ways_are_told(tmp_path: Path) -> None:
    (found,) = errors(folders(tmp_path, mask(255), mask(1), mask(1)))
    assert "in several ways" in found
    assert "class numbers below 128 in 2" in found


def test_marks_on_a_good_picture_are_an_error_by_name(tmp_path: Path) -> None:
    write(folders(tmp_path, mask()) / "masks/good/g.png", mask())
    assert [one.partition("images/")[2] for one in errors(tmp_path)] == [
        "good/g.png is called good, but 100 pixels of it are marked"
    ]
    write(tmp_path / "masks/good/g.png", mask(0))
    assert errors(tmp_path) == []


def test_a_picture_that_the_line_would_refuse_is_no_picture_to_train_on(tmp_path: Path) -> None:
    folders(tmp_path, mask())
    lost = cut_between_markers(encoded(textured(), ".jpg"), 0.5)
    (tmp_path / "images/good/lost.jpg").write_bytes(lost)
    padded = encoded(textured(), ".jpg") + bytes(3)
    (tmp_path / "images/good/padded.jpg").write_bytes(padded)
    (tmp_path / "images/good/._padded.jpg").write_bytes(b"Mac OS X")
    (found,) = errors(tmp_path)
    assert "lost.jpg: Corrupt JPEG data" in found


def coco(root: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    document: dict[str, Any] = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": 40, "width": 56} for n in range(3)],
        "annotations": [
            {"id": 7, "image_id": 1, "category_id": 1, "area": 100, "segmentation": [[12, 10, 22, 10, 22, 20, 12, 20]]}
        ],
        "categories": [{"id": 1, "name": "crack"}],
    }
    for number in range(3):
        write(root / f"{number}.png", textured(seed=number))
    change(document)
    (root / "labels.json").write_text(json.dumps(document))
    return root


def drawn_as(segmentation: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["annotations"][0].update(segmentation=segmentation)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["images"][2].update(id=0), "1 ids occur more than once among the images: 0"),
        (lambda d: d["categories"].append({"id": 1, "name": "good"}), "among the categories: 1"),
        (lambda d: d["annotations"].append(d["annotations"][0]), "among the annotations: 7"),
        (lambda d: d["annotations"][0].update(image_id=9), "annotation 7 is of picture 9"),
        (lambda d: d["annotations"][0].update(category_id=5), "annotation 7 is of category 5"),
        (lambda d: d["images"][0].update(file_name="../../0.png"), "outside the folder"),
        (lambda d: d["images"][0].update(file_name="x" * 300), f"picture '{'x' * 80}': File name too long"),
        (lambda d: d["images"][0].update(height=float("inf")), "labels.json"),
        (lambda d: d["images"][0].update(id="x"), "labels.json"),
        (lambda d: d.update(images=[None]), "labels.json"),
    ],
)
def test_references_of_coco_are_unique_and_exist(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(ValueError, match=r"labels\.json") as refused:
        read_set(coco(tmp_path, change))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ([[12, 10, 2e8, 10, 22, 20]], "coordinate 200000000.0 lies far outside the picture of 56 x 40 pixels"),
        ([[12, -3000, 22, 10, 22, 20]], "coordinate -3000"),
        ([[12, 10, float("nan"), 10, 22, 20]], "coordinate nan"),
        ([[12, 10, "22", 10, 22, 20]], "coordinate '22'"),
        ([[12, 10, 22, 10]], "three or more pairs"),
        ([12, 10, 22, 10, 22, 20], "a polygon is a list"),
        ({"size": [4000000, 4000000], "counts": "0"}, "run lengths are for a picture of"),
        ({"size": [40, 56], "counts": [10, 10**12]}, "do not add up to the picture's 2240 pixels"),
        ({"size": [40, 56], "counts": [10, -4, 2234]}, "do not add up"),
        ({"size": [40, 56], "counts": "ooooooooooooooo"}, "is broken"),
        ({"size": [40, 56], "counts": "0o"}, "cut short"),
        ({"size": [40, 56]}, "run lengths are whole numbers"),
    ],
)
def test_numbers_of_coco_are_checked_before_native_code_sees_them(
    tmp_path: Path, segmentation: Any, words: str
) -> None:
    (found,) = errors(coco(tmp_path, drawn_as(segmentation)))
    assert "labels.json, 1.png: annotation 7" in found
    assert words in found


def test_packed_run_lengths_are_read_as_the_reference_code_reads_them(tmp_path: Path) -> None:
    from pycocotools import mask as reference  # noqa: PLC0415

    for seed in range(20):
        picture = np.asfortranarray((textured(seed=seed) > 100).astype(np.uint8))
        packed = reference.encode(picture)
        text = {"size": [40, 56], "counts": packed["counts"].decode()}
        assert same(coco(tmp_path, drawn_as(text)), 1, picture > 0)


@pytest.mark.parametrize("head", ["ImageId,ClassId,EncodedPixels", " imageid ; ClassId;EncodedPixels"])
def test_rows_of_run_lengths_for_one_picture_and_class_are_joined(tmp_path: Path, head: str) -> None:
    write(tmp_path / "train_images/0.png", textured())
    sign = ";" if ";" in head else ","
    rows = [sign.join(("0.png", "1", runs)) for runs in ("1 4", "81 4", "")]
    (tmp_path / "train.csv").write_text("\n".join([head, *rows, sign * 2, ""]))
    drawn = read_set(tmp_path)[0].mask
    assert drawn is not None
    assert drawn.sum() == 8


def test_a_class_that_is_good_in_one_row_and_defective_in_another_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "images/a.png", textured())
    table = "image,class,defective,group,split\na.png,crack,1,a,\nb.png,crack,0,b,\n"
    (tmp_path / "parts.csv").write_text(table)
    with pytest.raises(ValueError, match="calls class crack good in one row and defective in another"):
        read_set(tmp_path)
