"""COCO: a JSON of images, categories and annotations; a category is a class, an unmarked picture is good."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewarden_train.data.files import FileSamples, SampleFile
from linewarden_train.data.reading import DefectMask
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import is_hidden
from linewarden_vision.tiles import Size


def coco_files(folder: Path) -> list[Path]:
    """List the annotation files of a folder, where the tools put them; told from other JSON by their keys."""
    places = ("*.json", "annotations/*.json", "train/*.json", "valid/*.json", "val/*.json", "test/*.json")
    found = [path for place in places for path in sorted(folder.glob(place))]
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
    keys = {"images", "annotations", "categories"}
    return all(f'"{key}"'.encode() in stored for key in keys) and set(_parsed(path)) >= keys


def _parsed(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return document if isinstance(document, dict) else {}


def _entries(folder: Path, path: Path) -> Iterator[SampleFile]:
    document = _parsed(path)
    words = [path.parent.name] if path.parent != folder else []
    words += path.stem.rstrip("0123456789").split("_")
    splits = {"train": "train", "val": "calibration", "valid": "calibration", "test": "test"}
    split = next((splits[word] for word in words if word in splits), "")
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


def _entry(
    folder: Path, path: Path, image: dict[str, Any], marks: list[dict[str, Any]], names: dict[int, str], split: str
) -> SampleFile:
    picture = _find(folder, path, str(image["file_name"]))
    size = (int(image["height"]), int(image["width"]))
    drawn, areas = [], defaultdict[str, float](float)
    for mark in marks:
        areas[names[int(mark["category_id"])]] += float(mark.get("area", 0))
        anywhere = mark.get("iscrowd") and mark.get("area") == size[0] * size[1]  # only that a defect is somewhere
        if mark.get("segmentation") and not anywhere:
            drawn.append((mark.get("id"), mark["segmentation"]))
    kind = max(sorted(areas), key=lambda one: areas[one]) if areas else GOOD
    name = picture.relative_to(folder).as_posix()
    return SampleFile(picture, Label(kind, name, name, split), CocoMask(tuple(drawn), size, f"{path}, {picture.name}"))


def _find(folder: Path, path: Path, name: str) -> Path:
    """Where the tools keep pictures: beside the JSON, in images/, or in a folder called like the JSON's last word."""
    word = path.stem.split("_")[-1]
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"picture {name!r} lies outside the folder of the set")
    places = [path.parent, folder, folder / "images", folder / "images" / word, folder / word]
    try:
        return next((place / name for place in places if (place / name).is_file()), folder / name)
    except OSError as error:  # as a name that no file can have
        raise ValueError(f"picture {name[:80]!r}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class CocoMask:
    """COCO segmentations of one picture of (height, width): polygons, and run lengths packed or not."""

    segmentations: tuple[tuple[Any, Any], ...]
    """Each with the number of its annotation."""
    size: Size
    source: str
    """What an error names: the file and the picture."""

    @property
    def present(self) -> bool:
        """Whether any annotation has a segmentation; a box alone marks no pixel."""
        return bool(self.segmentations)

    def read(self, size: Size | None) -> DefectMask | None:
        """Draw all segmentations into one mask; raises ValueError, naming the annotation, for one that is broken."""
        if size is None:
            return None
        if size != self.size:
            raise ValueError(f"{self.source} is {size[1]} x {size[0]} pixels, its annotation says {self.size[::-1]}")
        drawn = np.zeros(size, bool)
        for number, segmentation in self.segmentations:
            try:
                drawn |= _draw(segmentation, size)
            except ValueError as error:
                raise ValueError(f"{self.source}: annotation {number} cannot be drawn: {error}") from error
        return DefectMask(drawn) if drawn.any() else None


def _draw(polygons: Any, size: Size) -> NDArray[np.bool_]:  # noqa: ANN401  # as it stands in the JSON
    """Draw polygons, or run lengths packed or not.

    Raises ValueError for what is neither, and for numbers that a picture of that size cannot have: a coordinate
    farther outside than the picture is large, runs that do not add up to its pixels.
    """
    if isinstance(polygons, dict):
        return _runs(polygons, size)
    from pycocotools import mask as coco  # noqa: PLC0415  # only COCO sets need it

    height, width = size
    for polygon in polygons if isinstance(polygons, list) else [polygons]:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon is a list of three or more pairs of numbers")
        for place, number in enumerate(polygon):
            span = height if place % 2 else width
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                raise ValueError(f"coordinate {number!r} is no number")
            if not -span <= number <= 2 * span:
                raise ValueError(f"coordinate {number!r} lies far outside the picture of {width} x {height} pixels")
    return np.asarray(coco.decode(coco.merge(coco.frPyObjects(polygons, height, width))), bool)


def _runs(packed: dict[str, Any], size: Size) -> NDArray[np.bool_]:
    if packed.get("size") != list(size):
        raise ValueError(f"its run lengths are for a picture of {packed.get('size')}, this one is {list(size)}")
    counts = packed.get("counts")
    if isinstance(counts, str):
        counts = _unpacked(counts)
    if not isinstance(counts, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in counts):
        raise ValueError("run lengths are whole numbers, or their text")
    if any(one < 0 for one in counts) or sum(counts) != size[0] * size[1]:
        raise ValueError(f"its run lengths do not add up to the picture's {size[0] * size[1]} pixels")
    lengths = np.asarray(counts, np.int64)
    flat = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    return flat.reshape(size[::-1]).T


def _unpacked(text: str) -> list[int]:
    """Run lengths of their text: five bits a character, lowest first; from the fourth on as differences."""
    counts: list[int] = []
    value = shift = 0
    for sign in text:
        bits = ord(sign) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("the text of its run lengths is broken")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("the text of its run lengths is cut short")
    return counts
