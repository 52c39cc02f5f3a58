"""Folders of pictures with masks: images/<class>/<name>, masks/<class>/<name>.png; class "good" is good.

An optional groups.csv (columns image and group) joins pictures of one part; without it every picture
is a group of its own.
"""

from pathlib import Path

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.groups_file import GROUPS, read_groups
from linewarden_train.data.mask_sources import FileMask
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import is_hidden, is_picture


def read_folders(folder: Path) -> FileSamples:
    """Read all classes in order of name.

    Raises ValueError when there is no picture at all, and when groups.csv does not fit.
    """
    images = folder / "images"
    found = sorted(path for path in images.glob("*/*") if is_picture(path) and not is_hidden(path.parent.name))
    if not found:
        raise ValueError(f"no pictures under {images}/<class>/; good ones belong in {images}/{GOOD}/")
    samples = FileSamples([_entry(folder, path) for path in found])
    samples.regroup(read_groups(folder / GROUPS))
    return samples


def _entry(folder: Path, path: Path) -> Entry:
    short = f"{path.parent.name}/{path.name}"
    mask = folder / "masks" / path.parent.name / f"{path.stem}.png"
    return Entry(path, Label(path.parent.name, short, f"images/{short}"), FileMask(mask))
