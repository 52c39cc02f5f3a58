"""Parts with their reference, from a table or from folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from linewarden_domain.tables import read_table
from linewarden_history.msa.models import ReferencePart, ReferenceValue
from linewarden_vision.pictures.folders import is_hidden, is_picture

_GOOD = frozenset({"ok", "good", "0", "free"})
Row = tuple[str, ReferenceValue, str | None, Path]
"""Part, reference, defect class, picture."""


def read_parts(source: Path) -> tuple[list[ReferencePart], Counter[str]]:
    """Parts of a CSV, of a folder with a `parts.csv`, or of a folder whose subfolders name the reference.

    A table has a column `image`, one of `reference` (OK, NG) and `defective` (0, 1), and may have `part_id` (or
    `group`) and `class`. Several pictures of one part are presentations of it. In folders `good` and `OK` hold good
    parts, every other name is a defect class, and a picture is a part. Parts whose pictures contradict each other
    are left out, and counted.

    Raises:
        ValueError: for a table that lacks a column or has another word in it, a missing picture, or no part at all.
    """
    table = source if source.is_file() else source / "parts.csv"
    rows = list(_of_table(table) if table.is_file() else _of_folders(source))
    if not rows:
        raise ValueError(f"{source} holds no part with a reference")
    by_part: dict[str, list[Row]] = {}
    for row in rows:
        by_part.setdefault(row[0], []).append(row)
    left: Counter[str] = Counter()
    parts = []
    for part_id, found in sorted(by_part.items()):
        if len({row[1] for row in found}) > 1:
            left["parts with pictures of both references"] += 1
            continue
        kind = next((row[2] for row in found if row[2]), None)
        pictures = tuple(str(row[3]) for row in found)
        parts.append(ReferencePart(part_id=part_id, reference=found[0][1], defect_class=kind, pictures=pictures))
    return parts, left


def _of_table(table: Path) -> Iterator[Row]:
    columns = {"image": ("picture", "file"), "part_id": ("part", "group")} | dict.fromkeys(
        ("reference", "defective", "class", "split", "lot_id", "product_id", "visit", "view"), ()
    )
    read = read_table(table, columns, ("image",))
    told = next((name for name in ("reference", "defective") if name in read.columns), None)
    if told is None:
        raise ValueError(f"{table} needs the columns image and reference (OK or NG), or defective (0 or 1)")
    for row in read.rows:
        reference = _reference(row[told], f"{table}, line {row.line}")
        kind = (row["class"] or None) if reference is ReferenceValue.NG else None
        yield row["part_id"] or row["image"], reference, kind, _found(table.parent, row["image"])


def _of_folders(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in {".png", ".jpg", ".jpeg"} and is_picture(path) and not is_hidden(path.parent.name):
            name = path.parent.name
            good = name.lower() in _GOOD
            part_id = f"{name}/{path.stem}"
            yield part_id, ReferenceValue.OK if good else ReferenceValue.NG, None if good else name, path.resolve()


def _reference(text: str, where: str) -> ReferenceValue:
    word = (text or "").strip().lower()
    if word in _GOOD:
        return ReferenceValue.OK
    if word in {"ng", "bad", "defective", "1"}:
        return ReferenceValue.NG
    raise ValueError(f"{where}: {text!r} is no reference; write OK or NG")


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / "images" / name):
        if path.is_file():
            return path.resolve()
    raise ValueError(f"{name} is in no place that {folder} knows")
