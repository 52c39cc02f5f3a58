"""The magnetic tiles with their parts.csv: image, class, defective, group, split."""

from collections.abc import Sequence
from pathlib import Path

from linewarden_domain.tables import Row, read_table
from linewarden_train.data.files import FileMask, FileSamples, SampleFile
from linewarden_train.data.samples import GOOD, Label

TABLE = "parts.csv"
_DEFECTIVE = {"0": False, "1": True}


def read_magnetic_tiles(folder: Path, split: str | None = None) -> FileSamples:
    """Read one split, or all; raises ValueError when parts.csv is not so or has no such split.

    A picture called good whose group holds a defective one keeps its label: such groups of mixed
    labels are for the report to list.
    """
    columns = {"image": ("file",), "class": (), "defective": (), "group": ("part_id", "part"), "split": ()}
    table = read_table(folder / TABLE, columns, ("image", "class", "defective", "group"))
    if "split" not in table.columns or not table.rows:
        raise ValueError(f"{folder}/{TABLE} needs the column split, which may be empty, and a row for each picture")
    chosen = [row for row in table.rows if split is None or row["split"] == split]
    if not chosen:
        raise ValueError(f"{folder}/{TABLE} has no split {split!r}")
    _check_classes(folder / TABLE, table.rows)
    return FileSamples(
        [
            SampleFile(
                folder / (name := f"images/{row['image']}"),
                Label(row["class"] if _DEFECTIVE[row["defective"]] else GOOD, row["group"], name, row["split"]),
                FileMask(folder / "masks" / Path(row["image"]).with_suffix(".png").name),
            )
            for row in chosen
        ]
    )


def _check_classes(path: Path, rows: Sequence[Row]) -> None:
    """Raise ValueError for a row that says neither good nor defective, and for a class that is both."""
    for row in rows:
        if row["defective"] not in _DEFECTIVE:
            raise ValueError(f"{path}, line {row.line}: defective is 0 or 1, not {row['defective']!r}")
    sides = [{row["class"] for row in rows if _DEFECTIVE[row["defective"]] is bad} for bad in (False, True)]
    both = sorted((sides[0] & sides[1]) | (sides[1] & {GOOD}))
    if both:
        raise ValueError(f"{path} calls class {', '.join(both)} good in one row and defective in another")
