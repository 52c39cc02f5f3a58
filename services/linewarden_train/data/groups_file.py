"""groups.csv, which any set may have: which pictures show the same part (columns image and group)."""

import csv
from collections.abc import Iterable
from pathlib import Path

from linewarden_domain.tables import read_table

GROUPS = "groups.csv"


def read_groups(path: Path) -> dict[str, str]:
    """Read image -> group, nothing where there is no file; raises ValueError for a table that is not so."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for row in read_table(path, {"image": ("file",), "group": ()}, ("image", "group")).rows:
        if found.setdefault(row["image"], row["group"]) != row["group"]:
            raise ValueError(f"{path}, line {row.line}: {row['image']} is in two groups")
    return found


def write_groups(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write image and group, as ``read_groups`` reads them."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "group"), *rows])
