"""COCO: a JSON of images, categories and annotations; a category is a class, an unmarked picture is good."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.mask_sources import CocoMask
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import is_hidden

_PLACES = ("*.json", "annotations/*.json", "train/*.json", "valid/*.json", "val/*.json", "test/*.json")
_SPLITS = {"train": "train", "val": "calibration", "valid": "calibration", "test": "test"}
_KEYS = {"images", "annotations", "categories"}
_SHOWN = 80  # characters of a name that an error shows


def coco_files(folder: Path) -> list[Path]:
    """List the annotation files of a folder, where the tools put them; told from other JSON by their keys."""
    found = [path for place in _PLACES for path in sorted(folder.glob(place))]
    return [path for path in found if not is_hidden(path.name) and _looks_right(path)]


def read_coco(folder: Path) -> FileSamples:
    """Read all annotation files; ``split`` follows from a file's name or folder (val is calibration).

    A picture with several categories counts for the largest by area. A category called "good" marks
    no defect. Raises ValueError for JSON that is not COCO's, and where ids are not unique or not there.
    """
    return FileSamples([entry for path in coco_files(folder) for entry in _entries(folder, path)])


def _looks_right(path: Path) -> bool:
    """Tell by the keys; what has their words is parsed, so that a broken file is named rather than passed over."""
    stored = path.read_bytes()
    return all(f'"{key}"'.encode() in stored for key in _KEYS) and set(_parsed(path)) >= _KEYS


def _parsed(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return document if isinstance(document, dict) else {}


def _entries(folder: Path, path: Path) -> Iterator[Entry]:
    document = _parsed(path)
    split = _split(folder, path)
    try:
        names = {number: str(one["name"]) for number, one in _by_number(document, "categories").items()}
        images = _by_number(document, "images")
        marks: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for number, mark in _by_number(document, "annotations").items():
            kind, image = _held(number, mark, names, images)
            if names[kind] != GOOD:
                marks[image].append(mark)
        for number, one in images.items():
            yield _entry(folder, path, one, marks[number], names, split)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} lacks {error}, which COCO has") from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}: {error}") from error


def _held(
    number: int, mark: dict[str, Any], names: Mapping[int, str], images: Mapping[int, dict[str, Any]]
) -> tuple[int, int]:
    """Category and picture of an annotation; raises ValueError where the file has no such."""
    kind, image = int(mark["category_id"]), int(mark["image_id"])
    if kind not in names:
        raise ValueError(f"annotation {number} is of category {kind}, which the file does not have")
    if image not in images:
        raise ValueError(f"annotation {number} is of picture {image}, which the file does not have")
    return kind, image


def _by_number(document: dict[str, Any], kind: str) -> dict[int, dict[str, Any]]:
    """Pictures, categories or annotations by their id; raises ValueError, naming some, for ids that occur twice."""
    listed = document[kind]
    numbers = [int(one["id"]) if kind != "annotations" or "id" in one else -place for place, one in enumerate(listed)]
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    if twice:
        shown = ", ".join(map(str, twice[:5])) + (", ..." if len(twice) > 5 else "")
        raise ValueError(f"{len(twice)} ids occur more than once among the {kind}: {shown}")
    return dict(zip(numbers, listed, strict=True))


def _split(folder: Path, path: Path) -> str:
    words = [path.parent.name] if path.parent != folder else []
    words += path.stem.rstrip("0123456789").split("_")
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def _entry(
    folder: Path, path: Path, image: dict[str, Any], marks: list[dict[str, Any]], names: dict[int, str], split: str
) -> Entry:
    picture = _find(folder, path, str(image["file_name"]))
    shapes = [mark for mark in marks if mark.get("segmentation") and not _is_anywhere(mark, image)]
    drawn = tuple((mark.get("id"), mark["segmentation"]) for mark in shapes)
    mask = CocoMask(drawn, (int(image["height"]), int(image["width"])), f"{path}, {picture.name}")
    name = picture.relative_to(folder).as_posix()
    return Entry(picture, Label(_kind(marks, names), name, name, split), mask)


def _is_anywhere(mark: dict[str, Any], image: dict[str, Any]) -> bool:
    """Tell whether an annotation says only that a defect is somewhere in the picture: a crowd all over it."""
    return bool(mark.get("iscrowd")) and mark.get("area") == int(image["width"]) * int(image["height"])


def _find(folder: Path, path: Path, name: str) -> Path:
    """Where the tools keep pictures: beside the JSON, in images/, or in a folder called like the JSON's last word."""
    word = path.stem.split("_")[-1]
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"picture {name!r} lies outside the folder of the set")
    places = [path.parent, folder, folder / "images", folder / "images" / word, folder / word]
    try:
        return next((place / name for place in places if (place / name).is_file()), folder / name)
    except OSError as error:  # as a name that no file can have
        raise ValueError(f"picture {name[:_SHOWN]!r}: {error.strerror}") from error


def _kind(marks: list[dict[str, Any]], names: dict[int, str]) -> str:
    areas: dict[str, float] = defaultdict(float)
    for mark in marks:
        areas[names[int(mark["category_id"])]] += float(mark.get("area", 0))
    return max(sorted(areas), key=lambda kind: areas[kind]) if areas else GOOD
