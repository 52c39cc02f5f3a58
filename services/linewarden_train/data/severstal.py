"""Severstal's steel strips: train.csv with run lengths by picture and class, pictures in train_images/.

Two forms of the table are about: ImageId, ClassId, EncodedPixels with a row per defect; and
ImageId_ClassId, EncodedPixels with four rows per picture, empty where a class is absent.
"""

import csv
from collections import defaultdict
from pathlib import Path

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.mask_sources import RunLengths
from linewarden_train.data.reading import pictures_in
from linewarden_train.data.samples import GOOD, Label

TABLE = "train.csv"
IMAGES = "train_images"


def read_severstal(folder: Path) -> FileSamples:
    """Read every picture; one that the table does not mention is good, one it alone mentions is missing.

    A picture with several classes counts for the largest by area; its mask holds all of them. Raises
    ValueError for a table of neither form.
    """
    marked = _table(folder / TABLE)
    there = {path.name: path for path in pictures_in(folder / IMAGES)}
    names = sorted({*there, *marked})
    return FileSamples([_entry(folder, name, marked.get(name, {})) for name in names])


def _table(path: Path) -> dict[str, dict[str, str]]:
    """Run lengths by picture and class, without the empty ones."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if {"ImageId", "ClassId", "EncodedPixels"} <= set(row):
                name, kind = row["ImageId"], row["ClassId"]
            elif {"ImageId_ClassId", "EncodedPixels"} <= set(row):
                name, _, kind = row["ImageId_ClassId"].rpartition("_")
            else:
                raise ValueError(f"{path} needs ImageId, ClassId, EncodedPixels or ImageId_ClassId, EncodedPixels")
            runs = (row["EncodedPixels"] or "").strip()
            if runs:
                found[name][kind] = runs
    return found


def _entry(folder: Path, name: str, runs: dict[str, str]) -> Entry:
    source = f"{folder / TABLE}, {name}"
    mask = RunLengths(tuple(runs.values()), source)
    label = Label(_largest(runs, source), name, f"{IMAGES}/{name}")
    return Entry(folder / IMAGES / name, label, mask)


def _largest(runs: dict[str, str], source: str) -> str:
    if not runs:
        return GOOD
    if len(runs) == 1:
        return f"class-{next(iter(runs))}"
    areas = {kind: _area(RunLengths((text,), source)) for kind, text in runs.items()}
    return f"class-{max(sorted(areas), key=lambda kind: areas[kind])}"


def _area(runs: RunLengths) -> int:
    """Count the marked pixels, none where the text is broken: reading the mask will say so."""
    try:
        return runs.area()
    except ValueError:
        return 0
