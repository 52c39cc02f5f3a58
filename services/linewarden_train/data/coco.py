"""COCO: a JSON of images, categories and annotations; a category is a class, an unmarked picture is good."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.mask_sources import CocoMask
from linewarden_train.data.samples import GOOD, Label

_PLACES = ("*.json", "annotations/*.json", "train/*.json", "valid/*.json", "val/*.json", "test/*.json")
_SPLITS = {"train": "train", "val": "calibration", "valid": "calibration", "test": "test"}
_KEYS = {"images", "annotations", "categories"}


def coco_files(folder: Path) -> list[Path]:
    """List the annotation files of a folder, where the tools put them; told from other JSON by their keys."""
    found = [path for place in _PLACES for path in sorted(folder.glob(place))]
    return [path for path in found if _looks_right(path)]


def read_coco(folder: Path) -> FileSamples:
    """Read all annotation files; ``split`` follows from a file's name or folder (val is calibration).

    A picture with several categories counts for the largest by area. A category called "good" marks
    no defect. Raises ValueError for JSON that is not COCO's.
    """
    return FileSamples([entry for path in coco_files(folder) for entry in _entries(folder, path)])


def _looks_right(path: Path) -> bool:
    """Tell by the keys; what has their words is parsed, so that a broken file is named rather than passed over."""
    stored = path.read_bytes()
    return all(f'"{key}"'.encode() in stored for key in _KEYS) and set(_parsed(path)) >= _KEYS


def _parsed(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return document if isinstance(document, dict) else {}


def _entries(folder: Path, path: Path) -> Iterator[Entry]:
    document = _parsed(path)
    split = _split(folder, path)
    try:
        names = {int(category["id"]): str(category["name"]) for category in document["categories"]}
        marks: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for mark in document["annotations"]:
            if names[int(mark["category_id"])] != GOOD:
                marks[int(mark["image_id"])].append(mark)
        for image in document["images"]:
            yield _entry(folder, path, image, marks[int(image["id"])], names, split)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} lacks {error}, which COCO has") from error


def _split(folder: Path, path: Path) -> str:
    words = [path.parent.name] if path.parent != folder else []
    words += path.stem.rstrip("0123456789").split("_")
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def _entry(
    folder: Path, path: Path, image: dict[str, Any], marks: list[dict[str, Any]], names: dict[int, str], split: str
) -> Entry:
    picture = _find(folder, path, str(image["file_name"]))
    drawn = tuple(mark["segmentation"] for mark in marks if mark.get("segmentation") and not _is_anywhere(mark, image))
    mask = CocoMask(drawn, (int(image["height"]), int(image["width"])), str(picture))
    name = picture.relative_to(folder).as_posix()
    return Entry(picture, Label(_kind(marks, names), name, name, split), mask)


def _is_anywhere(mark: dict[str, Any], image: dict[str, Any]) -> bool:
    """Tell whether an annotation says only that a defect is somewhere in the picture: a crowd all over it."""
    return bool(mark.get("iscrowd")) and mark.get("area") == int(image["width"]) * int(image["height"])


def _find(folder: Path, path: Path, name: str) -> Path:
    """Where the tools keep pictures: beside the JSON, in images/, or in a folder called like the JSON's last word."""
    word = path.stem.split("_")[-1]
    places = [path.parent, folder, folder / "images", folder / "images" / word, folder / word]
    return next((place / name for place in places if (place / name).is_file()), folder / name)


def _kind(marks: list[dict[str, Any]], names: dict[int, str]) -> str:
    areas: dict[str, float] = defaultdict(float)
    for mark in marks:
        areas[names[int(mark["category_id"])]] += float(mark.get("area", 0))
    return max(sorted(areas), key=lambda kind: areas[kind]) if areas else GOOD
