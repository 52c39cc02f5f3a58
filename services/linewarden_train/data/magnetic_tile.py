"""The magnetic tiles with their parts.csv: image, class, defective, group, split."""

import csv
from pathlib import Path

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.mask_sources import FileMask
from linewarden_train.data.samples import GOOD, Label

TABLE = "parts.csv"
_COLUMNS = {"image", "class", "defective", "group", "split"}


def read_magnetic_tiles(folder: Path, split: str | None = None) -> FileSamples:
    """Read one split, or all; raises ValueError when parts.csv lacks a column or has no such split.

    A picture called good whose group holds a defective one keeps its label: such groups of mixed
    labels are for the report to list.
    """
    with (folder / TABLE).open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(rows[0]) >= _COLUMNS:
        raise ValueError(f"{folder}/{TABLE} needs the columns {', '.join(sorted(_COLUMNS))}")
    chosen = [row for row in rows if split is None or row["split"] == split]
    if not chosen:
        raise ValueError(f"{folder}/{TABLE} has no split {split!r}")
    return FileSamples([_entry(folder, row) for row in chosen])


def _entry(folder: Path, row: dict[str, str]) -> Entry:
    kind = row["class"] if row["defective"] == "1" else GOOD
    mask = folder / "masks" / Path(row["image"]).with_suffix(".png").name
    name = f"images/{row['image']}"
    return Entry(folder / name, Label(kind, row["group"], name, row["split"]), FileMask(mask))
