"""Which pictures a folder holds, in which order, and which part each one shows.

With a `parts.csv` (column `image` or `file`, the part in `part_id`, `part` or `group`) exactly the pictures
that it lists, found in the folder itself or under `images/`; otherwise every picture below the folder, by its
path. Nothing is left out silently: what cannot be read keeps its place, what is no picture is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linewarden_domain.tables import UnusableTable, read_table
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.folders import SUFFIXES, pictures_below

TABLE = "parts.csv"
_COLUMNS = {"image": ("file", "picture"), "part_id": ("part", "group")} | dict.fromkeys(
    ("class", "defective", "reference", "split", "visit", "view", "lot_id", "product_id"), ()
)
"""What a table of parts may say; offline only the first two count."""
_MASK_FOLDERS = frozenset({"mask", "masks", "ground_truth"})
_MASK_ENDINGS = re.compile(r"(_mask|_label|_GT)$", re.IGNORECASE)


class UnusableFolder(ValueError):
    """The folder cannot be inspected at all; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture by its name in the results; `refused` where it cannot even be opened."""

    image: str
    part_id: str
    path: Path
    refused: PictureRefused | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Pictures in the order of their results, and what else was met, counted by what it is."""

    entries: tuple[Entry, ...]
    skipped: dict[str, int]


def list_pictures(folder: Path, part_pattern: re.Pattern[str] | None = None) -> Listing:
    """List a folder; without a table the part is what `part_pattern` finds in a picture's path, or that path.

    Raises:
        UnusableFolder: no picture, or a table that cannot be understood.
    """
    root = folder.resolve()
    skipped: Counter[str] = Counter()
    found = sorted(path.relative_to(root).as_posix() for path in pictures_below(root, skipped))
    table = root / TABLE
    if table.is_file():
        listing = _by_table(root, table, found, skipped)
    else:
        shown = _without_masks(found, skipped)
        entries = [_entry(root, name, root / name, _part_of(name, part_pattern)) for name in shown]
        listing = Listing(tuple(entries), dict(sorted(skipped.items())))
    if not listing.entries:
        raise UnusableFolder(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return listing


def _without_masks(found: list[str], skipped: Counter[str]) -> list[str]:
    """Leave out masks of a labelled set: named as one or in a folder of them, and with a picture they belong to."""
    masks = {name for name in found if _is_named_mask(name)}
    shown = {PurePosixPath(name).stem for name in found if name not in masks}
    belonging = {name for name in masks if _MASK_ENDINGS.sub("", PurePosixPath(name).stem) in shown}
    skipped["masks"] += len(belonging)
    return [name for name in found if name not in belonging]


def _is_named_mask(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(_MASK_ENDINGS.search(path.stem)) or any(part.lower() in _MASK_FOLDERS for part in path.parts[:-1])


def _part_of(name: str, pattern: re.Pattern[str] | None) -> str:
    matched = pattern.search(name) if pattern else None
    if matched is not None:
        named = matched.group("part_id" if "part_id" in matched.re.groupindex else 0)
        if named:
            return named
    return PurePosixPath(name).with_suffix("").as_posix()


def _by_table(root: Path, table: Path, found: list[str], skipped: Counter[str]) -> Listing:
    entries: dict[str, Entry] = {}
    there = {root / name for name in found}
    for image, part_id in _rows(table):
        if image in entries:
            raise UnusableFolder(f"{table} lists {image} twice; keep one of the lines")
        path = next((path for path in (root / image, root / "images" / image) if path in there), root / image)
        entries[image] = _entry(root, image, path, part_id)
    known = {entry.path for entry in entries.values()}
    skipped["not in parts.csv"] += sum(root / name not in known for name in found)
    return Listing(tuple(entries.values()), dict(sorted(skipped.items())))


def _rows(table: Path) -> Iterator[tuple[str, str]]:
    try:
        rows = read_table(table, _COLUMNS, ("image",)).rows
    except UnusableTable as error:
        raise UnusableFolder(str(error)) from error
    for row in rows:
        yield row["image"], row["part_id"] or PurePosixPath(row["image"]).with_suffix("").as_posix()


def _entry(root: Path, image: str, path: Path, part_id: str) -> Entry:
    try:
        return Entry(image, part_id, path, _refusal(root, path))
    except (OSError, ValueError) as error:  # too long, a zero byte, a circle of links
        return Entry(image, part_id, path, PictureRefused(Undecidable.UNREADABLE, f"it cannot be opened: {error}"))


def _refusal(root: Path, path: Path) -> PictureRefused | None:
    if not path.resolve().is_relative_to(root):
        why = "it lies outside the folder, and links out of it are not followed"
        return PictureRefused(Undecidable.UNREADABLE, why)
    if not path.exists():
        return PictureRefused(Undecidable.UNREADABLE, "the file is missing")
    return None if path.is_file() else PictureRefused(Undecidable.UNREADABLE, "it is no regular file")
