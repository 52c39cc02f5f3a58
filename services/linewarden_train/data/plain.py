"""Two plain folders, good/ and bad/, without masks: what a line has on its first day."""

from pathlib import Path

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import pictures_below

BAD = "bad"
DEFECT = "defect"


def read_plain(folder: Path) -> FileSamples:
    """Read folder/good and folder/bad; a folder inside bad/ is a class of defects."""
    return FileSamples([*good_entries(folder / GOOD, f"{GOOD}/"), *bad_entries(folder / BAD, f"{BAD}/")])


def good_entries(folder: Path, prefix: str = "") -> list[Entry]:
    """List the good pictures of a folder and of those inside it; ``prefix`` begins their names."""
    return [
        Entry(path, Label(GOOD, prefix + _name(folder, path), prefix + _name(folder, path)))
        for path in pictures_below(folder)
    ]


def bad_entries(folder: Path, prefix: str = "") -> list[Entry]:
    """List the bad pictures; the folder directly inside names the class, "defect" where there is none."""
    return [
        Entry(path, Label(_kind(folder, path), prefix + _name(folder, path), prefix + _name(folder, path)))
        for path in pictures_below(folder)
    ]


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _kind(folder: Path, path: Path) -> str:
    inside = path.relative_to(folder).parts
    return inside[0] if len(inside) > 1 and inside[0] != GOOD else DEFECT
