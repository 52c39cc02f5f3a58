"""One way to read any folder of pictures: its layout is recognised, or named."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from linewarden_domain.tables import UnusableTable, read_table
from linewarden_train.data.coco import coco_files, read_coco
from linewarden_train.data.files import FileSamples
from linewarden_train.data.folders import read_folders, read_kolektor_sdd, read_kolektor_sdd2, read_mvtec, read_plain
from linewarden_train.data.magnetic_tile import TABLE, read_magnetic_tiles
from linewarden_train.data.severstal import read_severstal
from linewarden_vision.pictures.folders import is_hidden

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class SetLayout:
    """A way to lay out a set: what it needs in words, what is seen of it in a folder, its reader."""

    name: str
    needs: str
    seen_in: Callable[[Path], str]
    read: Callable[[Path], FileSamples]


def _matches(*patterns: str) -> Callable[[Path], str]:
    """Name the first match of every pattern, nothing where one has none."""

    def look(folder: Path) -> str:
        seen = [[path for path in sorted(folder.glob(one)) if not is_hidden(path.name)][:1] for one in patterns]
        return ", ".join(path.relative_to(folder).as_posix() for (path,) in seen) if all(seen) else ""

    return look


LAYOUTS = (
    SetLayout(
        "magnetic-tile",
        f"{TABLE} (image, class, defective, group, split), images/, masks/",
        _matches(TABLE, "images"),
        read_magnetic_tiles,
    ),
    SetLayout("kolektor-sdd", "kosNN/PartN.jpg with PartN_label.bmp", _matches("kos*/*_label.bmp"), read_kolektor_sdd),
    SetLayout(
        "kolektor-sdd2",
        "train/ and test/ with NNNNN.png and NNNNN_GT.png",
        _matches("t[re]*/*_GT.png"),
        read_kolektor_sdd2,
    ),
    SetLayout(
        "mvtec",
        "train/good/, test/<class>/, ground_truth/<class>/NNN_mask.png",
        _matches("train/good", "test/*/"),
        read_mvtec,
    ),
    SetLayout(
        "severstal",
        "train.csv (ImageId, ClassId, EncodedPixels or ImageId_ClassId, EncodedPixels), train_images/",
        _matches("train.csv", "train_images"),
        read_severstal,
    ),
    SetLayout(
        "folders",
        "images/<class>/ (good ones in images/good/), masks/<class>/<name>.png, groups.csv if there are groups",
        _matches("images/good/*"),
        read_folders,
    ),
    SetLayout("plain", "good/ and bad/", _matches("good/*", "bad/*"), read_plain),
    SetLayout(
        "coco",
        "a JSON with images, annotations and categories, in the folder or in annotations/",
        lambda folder: ", ".join(path.relative_to(folder).as_posix() for path in coco_files(folder)[:3]),
        read_coco,
    ),
)


def recognise(folder: Path) -> tuple[SetLayout, str]:
    """Find the one layout that a folder has, and what gave it away.

    Raises ValueError, listing the layouts and what each needs, where none or several fit.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found = [(layout, saw) for layout in LAYOUTS if (saw := layout.seen_in(folder))]
    if len(found) == 1:
        return found[0]
    if found:
        fits = "; ".join(f"{layout.name} (saw {saw})" for layout, saw in found)
        raise ValueError(f"{folder} fits several layouts: {fits}. Name one of them")
    inside = [
        path.name
        for path in sorted(folder.iterdir())
        if path.is_dir() and not is_hidden(path.name) and any(one.seen_in(path) for one in LAYOUTS)
    ]  # as a set of many categories has them
    hint = f"; {', '.join(inside[:8])} inside it would do" if inside else ""
    raise ValueError(f"{folder} has no layout that is known{hint}. Layouts and what each needs:\n{table()}")


def read_set(folder: Path, layout: str = AUTO) -> FileSamples:
    """Read all of a set, its layout recognised or named; a groups.csv in it says which pictures are one part.

    Raises ValueError for a folder or layout that is not known and for a set without pictures. Single
    pictures and masks are read later: ``linewarden_train.data.checks`` looks at all of them.
    """
    if layout == AUTO:
        chosen, _ = recognise(folder)
    else:
        named = [one for one in LAYOUTS if one.name == layout]
        if not named:
            raise ValueError(f"layout {layout!r} is none of {AUTO} and\n{table()}")
        (chosen,) = named
    try:
        samples = chosen.read(folder)
        samples.regroup(_groups(folder / "groups.csv"))
    except (OSError, UnusableTable) as error:
        raise ValueError(f"{folder} cannot be read as {chosen.name}, which needs {chosen.needs}: {error}") from error
    if not len(samples):
        raise ValueError(f"{folder} holds no pictures; {chosen.name} needs {chosen.needs}")
    return samples


def table() -> str:
    """List the layouts, one a line, with what each needs."""
    return "\n".join(f"  {layout.name}: {layout.needs}" for layout in LAYOUTS)


def _groups(path: Path) -> dict[str, str]:
    """Read image -> group, nothing where there is no file; raises ValueError for a table that is not so."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for row in read_table(path, {"image": ("file",), "group": ()}, ("image", "group")).rows:
        if found.setdefault(row["image"], row["group"]) != row["group"]:
            raise ValueError(f"{path}, line {row.line}: {row['image']} is in two groups")
    return found


def write_groups(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write a groups.csv of image and group, as ``read_set`` reads it."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "group"), *rows])
