"""groups.csv, which any set may have: which pictures show the same part (columns image and group)."""

import csv
from collections.abc import Iterable
from pathlib import Path

GROUPS = "groups.csv"


def read_groups(path: Path) -> dict[str, str]:
    """Read image -> group, nothing where there is no file; raises ValueError when a column is missing."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"image", "group"} <= set(rows[0]):
        raise ValueError(f"{path} needs the columns image and group")
    return {row["image"]: row["group"] for row in rows}


def write_groups(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write image and group, as ``read_groups`` reads them."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "group"), *rows])
