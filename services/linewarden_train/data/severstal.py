"""Severstal's steel strips: train.csv with run lengths by picture and class, pictures in train_images/.

Two forms of the table are about: ImageId, ClassId, EncodedPixels with a row per defect; and
ImageId_ClassId, EncodedPixels with four rows per picture, empty where a class is absent.
"""

from collections import defaultdict
from pathlib import Path

from linewarden_domain.tables import read_table
from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.mask_sources import RunLengths
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import pictures_in

TABLE = "train.csv"
IMAGES = "train_images"
_COLUMNS = dict.fromkeys(("ImageId", "ClassId", "EncodedPixels", "ImageId_ClassId"), ())


def read_severstal(folder: Path) -> FileSamples:
    """Read every picture; one that the table does not mention is good, one it alone mentions is missing.

    A picture with several classes counts for the largest by area; its mask holds all of them. Raises
    ValueError for a table of neither form.
    """
    marked = _table(folder / TABLE)
    there = {path.name: path for path in pictures_in(folder / IMAGES)}
    names = sorted({*there, *marked})
    return FileSamples([_entry(folder, name, marked.get(name, {})) for name in names])


def _table(path: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """Run lengths by picture and class, all rows of both together, without the empty ones."""
    table = read_table(path, _COLUMNS)
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


def _entry(folder: Path, name: str, runs: dict[str, tuple[str, ...]]) -> Entry:
    source = f"{folder / TABLE}, {name}"
    mask = RunLengths(tuple(text for texts in runs.values() for text in texts), source)
    label = Label(_largest(runs, source), name, f"{IMAGES}/{name}")
    return Entry(folder / IMAGES / name, label, mask)


def _largest(runs: dict[str, tuple[str, ...]], source: str) -> str:
    if not runs:
        return GOOD
    if len(runs) == 1:
        return f"class-{next(iter(runs))}"
    areas = {kind: _area(RunLengths(texts, source)) for kind, texts in runs.items()}
    return f"class-{max(sorted(areas), key=lambda kind: areas[kind])}"


def _area(runs: RunLengths) -> int:
    """Count the marked pixels, none where the text is broken: reading the mask will say so."""
    try:
        return runs.area()
    except ValueError:
        return 0
