"""Which pictures a folder holds, in which order, and which part each one shows.

With a `parts.csv` (column `image` or `file`, the part in `part_id`, `part` or `group`) exactly the pictures
that it lists, found in the folder itself or under `images/`; otherwise every picture below the folder, by its
path. Nothing is left out silently: what cannot be read keeps its place, what is no picture is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linewarden_domain.tables import UnusableTable, read_table
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.folders import SUFFIXES, pictures_below

_MASK_ENDINGS = re.compile(r"(_mask|_label|_GT)$", re.IGNORECASE)


class UnusableFolder(ValueError):
    """The folder cannot be inspected at all; the message says what to change."""


@dataclass(frozen=True, slots=True)
class ListedPicture:
    """A picture by its name in the results; `refused` where it cannot even be opened."""

    image: str
    part_id: str
    path: Path
    refused: PictureRefused | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Pictures in the order of their results, and what else was met, counted by what it is."""

    entries: tuple[ListedPicture, ...]
    skipped: dict[str, int]


def list_pictures(folder: Path, part_pattern: re.Pattern[str] | None = None) -> Listing:
    """List a folder; without a table the part is what `part_pattern` finds in a picture's path, or that path.

    Raises:
        UnusableFolder: no picture, or a table that cannot be understood.
    """
    root = folder.resolve()
    skipped: Counter[str] = Counter()
    found = sorted(path.relative_to(root).as_posix() for path in pictures_below(root, skipped))
    table = root / "parts.csv"
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
    in_folder = {
        name
        for name in found
        if any(part.lower() in {"mask", "masks", "ground_truth"} for part in PurePosixPath(name).parts[:-1])
    }
    masks = in_folder | {name for name in found if _MASK_ENDINGS.search(PurePosixPath(name).stem)}
    shown = {PurePosixPath(name).stem for name in found if name not in masks}
    belonging = {name for name in masks if _MASK_ENDINGS.sub("", PurePosixPath(name).stem) in shown}
    skipped["masks"] += len(belonging)
    return [name for name in found if name not in belonging]


def _part_of(name: str, pattern: re.Pattern[str] | None) -> str:
    matched = pattern.search(name) if pattern else None
    if matched is not None:
        named = matched.group("part_id" if "part_id" in matched.re.groupindex else 0)
        if named:
            return named
    return PurePosixPath(name).with_suffix("").as_posix()


def _by_table(root: Path, table: Path, found: list[str], skipped: Counter[str]) -> Listing:
    entries: dict[str, ListedPicture] = {}
    there = {root / name for name in found}
    # Offline only the first two columns count.
    others = ("class", "defective", "reference", "split", "visit", "view", "lot_id", "product_id")
    columns = {"image": ("file", "picture"), "part_id": ("part", "group")} | dict.fromkeys(others, ())
    try:
        rows = read_table(table, columns, ("image",)).rows
    except UnusableTable as error:
        raise UnusableFolder(str(error)) from error
    for row in rows:
        image, part_id = row["image"], row["part_id"] or _part_of(row["image"], None)
        if image in entries:
            raise UnusableFolder(f"{table} lists {image} twice; keep one of the lines")
        path = next((path for path in (root / image, root / "images" / image) if path in there), root / image)
        entries[image] = _entry(root, image, path, part_id)
    known = {entry.path for entry in entries.values()}
    skipped["not in parts.csv"] += sum(root / name not in known for name in found)
    return Listing(tuple(entries.values()), dict(sorted(skipped.items())))


def _entry(root: Path, image: str, path: Path, part_id: str) -> ListedPicture:
    why = None
    try:
        if not path.resolve().is_relative_to(root):
            why = "it lies outside the folder, and links out of it are not followed"
        elif not path.exists():
            why = "the file is missing"
        elif not path.is_file():
            why = "it is no regular file"
    except (OSError, ValueError) as error:  # too long, a zero byte, a circle of links
        why = f"it cannot be opened: {error}"
    return ListedPicture(image, part_id, path, None if why is None else PictureRefused(Undecidable.UNREADABLE, why))
