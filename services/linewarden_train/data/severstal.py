"""Severstal's steel strips: train.csv with run lengths by picture and class, pictures in train_images/.

Two forms of the table are about: ImageId, ClassId, EncodedPixels with a row per defect; and
ImageId_ClassId, EncodedPixels with four rows per picture, empty where a class is absent.
"""

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linewarden_domain.tables import read_table
from linewarden_train.data.files import FileSamples, SampleFile
from linewarden_train.data.reading import DefectMask
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import pictures_in
from linewarden_vision.tiles import Size


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Severstal's run lengths: "start length start length …", counted from 1 down the columns, one text a class."""

    texts: tuple[str, ...]
    source: str
    """What an error names: the file and the picture."""

    @property
    def present(self) -> bool:
        """Whether there is a text."""
        return bool(self.texts)

    def read(self, size: Size | None) -> DefectMask | None:
        """Draw all texts into one mask."""
        if size is None:
            return None
        flat = np.zeros(size[0] * size[1], bool)
        for text in self.texts:
            for start, length in self._pairs(text):
                if start < 1 or length < 1 or start - 1 + length > flat.size:
                    raise ValueError(f"{self.source}: run {start} {length} leaves a picture of {size[1]} x {size[0]}")
                flat[start - 1 : start - 1 + length] = True
        return DefectMask(flat.reshape(size[::-1]).T) if flat.any() else None

    def area(self) -> int:
        """Count the marked pixels; raises ValueError like ``read``."""
        return sum(length for text in self.texts for _, length in self._pairs(text))

    def _pairs(self, text: str) -> Sequence[tuple[int, int]]:
        numbers = text.split()
        if len(numbers) % 2 or not all(number.isdecimal() and len(number) < 19 for number in numbers):
            raise ValueError(f"{self.source}: run lengths are pairs of numbers, not {text[:40]!r}")
        values = [int(number) for number in numbers]
        return list(zip(values[::2], values[1::2], strict=True))


def read_severstal(folder: Path) -> FileSamples:
    """Read every picture; one that the table does not mention is good, one it alone mentions is missing.

    A picture with several classes counts for the largest by area; its mask holds all of them. Raises
    ValueError for a table of neither form.
    """
    marked = _table(folder / "train.csv")
    there = {path.name: path for path in pictures_in(folder / "train_images")}
    names = sorted({*there, *marked})
    return FileSamples([_entry(folder, name, marked.get(name, {})) for name in names])


def _table(path: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """Run lengths by picture and class, all rows of both together, without the empty ones."""
    table = read_table(path, dict.fromkeys(("ImageId", "ClassId", "EncodedPixels", "ImageId_ClassId"), ()))
    apart = {"ImageId", "ClassId", "EncodedPixels"} <= table.columns
    if not apart and not {"ImageId_ClassId", "EncodedPixels"} <= table.columns:
        raise ValueError(f"{path} needs ImageId, ClassId, EncodedPixels or ImageId_ClassId, EncodedPixels")
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for row in table.rows:
        name, _, kind = row["ImageId_ClassId"].rpartition("_")
        if apart:
            name, kind = row["ImageId"], row["ClassId"]
        if row["EncodedPixels"] and not (name and kind):
            raise ValueError(f"{path}, line {row.line}: the picture or the class is missing")
        if row["EncodedPixels"]:
            found[name][kind] = (*found[name].get(kind, ()), row["EncodedPixels"])
    return found


def _entry(folder: Path, name: str, runs: dict[str, tuple[str, ...]]) -> SampleFile:
    source = f"{folder / 'train.csv'}, {name}"
    mask = RunLengths(tuple(text for texts in runs.values() for text in texts), source)
    path = f"train_images/{name}"
    return SampleFile(folder / path, Label(_largest(runs, source), name, path), mask)


def _largest(runs: dict[str, tuple[str, ...]], source: str) -> str:
    if not runs:
        return GOOD
    if len(runs) == 1:
        return f"class-{next(iter(runs))}"
    areas = dict.fromkeys(sorted(runs), 0)
    for kind, texts in runs.items():
        with contextlib.suppress(ValueError):  # a broken text: reading the mask will say so
            areas[kind] = RunLengths(texts, source).area()
    return f"class-{max(areas, key=lambda kind: areas[kind])}"
