"""Folders of pictures with masks: images/<class>/<name>, masks/<class>/<name>.png; class "good" is good.

An optional groups.csv (columns image and group, image as <class>/<name>) joins pictures of one part;
without it every picture is a group of its own.
"""

import csv
from pathlib import Path

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.samples import GOOD, Label

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


def read_folders(folder: Path) -> FileSamples:
    """Read all classes in order of name; raises ValueError when there is no good or no picture at all."""
    images = folder / "images"
    found = sorted(path for path in images.glob("*/*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"no pictures under {images}/<class>/; good ones belong in {images}/{GOOD}/")
    groups = _groups(folder / "groups.csv")
    return FileSamples([_entry(folder, path, groups) for path in found])


def _groups(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {row["image"]: row["group"] for row in csv.DictReader(file)}


def _entry(folder: Path, path: Path, groups: dict[str, str]) -> Entry:
    name = f"{path.parent.name}/{path.name}"
    mask = folder / "masks" / path.parent.name / f"{path.stem}.png"
    return Entry(path, mask, Label(path.parent.name, groups.get(name, name)))
