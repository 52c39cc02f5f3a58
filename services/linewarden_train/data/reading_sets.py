"""One way to read any folder of pictures: its layout is recognised, or named."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linewarden_domain.tables import UnusableTable
from linewarden_train.data.coco import coco_files, read_coco
from linewarden_train.data.files import FileSamples
from linewarden_train.data.folders import read_folders
from linewarden_train.data.groups_file import GROUPS, read_groups
from linewarden_train.data.kolektor import read_kolektor_sdd, read_kolektor_sdd2
from linewarden_train.data.magnetic_tile import TABLE, read_magnetic_tiles
from linewarden_train.data.mvtec import read_mvtec
from linewarden_train.data.plain import read_plain
from linewarden_train.data.severstal import read_severstal
from linewarden_vision.pictures.folders import is_hidden

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to lay out a set: what it needs in words, what is seen of it in a folder, its reader."""

    name: str
    needs: str
    seen_in: Callable[[Path], str]
    read: Callable[[Path], FileSamples]


@dataclass(frozen=True, slots=True)
class Recognised:
    """The layout of a folder and what gave it away."""

    layout: Layout
    saw: str


def _matches(*patterns: str) -> Callable[[Path], str]:
    """Name a match of every pattern, nothing where one has none."""

    def look(folder: Path) -> str:
        seen = [_first(folder, pattern) for pattern in patterns]
        return ", ".join(seen) if all(seen) else ""

    return look


def _coco(folder: Path) -> str:
    return ", ".join(path.relative_to(folder).as_posix() for path in coco_files(folder)[:3])


LAYOUTS = (
    Layout(
        "magnetic-tile",
        f"{TABLE} (image, class, defective, group, split), images/, masks/",
        _matches(TABLE, "images"),
        read_magnetic_tiles,
    ),
    Layout("kolektor-sdd", "kosNN/PartN.jpg with PartN_label.bmp", _matches("kos*/*_label.bmp"), read_kolektor_sdd),
    Layout(
        "kolektor-sdd2",
        "train/ and test/ with NNNNN.png and NNNNN_GT.png",
        _matches("t[re]*/*_GT.png"),
        read_kolektor_sdd2,
    ),
    Layout(
        "mvtec",
        "train/good/, test/<class>/, ground_truth/<class>/NNN_mask.png",
        _matches("train/good", "test/*/"),
        read_mvtec,
    ),
    Layout(
        "severstal",
        "train.csv (ImageId, ClassId, EncodedPixels or ImageId_ClassId, EncodedPixels), train_images/",
        _matches("train.csv", "train_images"),
        read_severstal,
    ),
    Layout(
        "folders",
        "images/<class>/ (good ones in images/good/), masks/<class>/<name>.png, groups.csv if there are groups",
        _matches("images/good/*"),
        read_folders,
    ),
    Layout("plain", "good/ and bad/", _matches("good/*", "bad/*"), read_plain),
    Layout(
        "coco", "a JSON with images, annotations and categories, in the folder or in annotations/", _coco, read_coco
    ),
)


def recognise(folder: Path) -> Recognised:
    """Find the one layout that a folder has.

    Raises ValueError, listing the layouts and what each needs, where none or several fit.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found = [Recognised(layout, saw) for layout in LAYOUTS if (saw := layout.seen_in(folder))]
    if len(found) == 1:
        return found[0]
    if found:
        fits = "; ".join(f"{one.layout.name} (saw {one.saw})" for one in found)
        raise ValueError(f"{folder} fits several layouts: {fits}. Name one of them")
    raise ValueError(f"{folder} has no layout that is known{_hint(folder)}. Layouts and what each needs:\n{table()}")


def read_set(folder: Path, layout: str = AUTO) -> FileSamples:
    """Read all of a set, its layout recognised or named; a groups.csv in it says which pictures are one part.

    Raises ValueError for a folder or layout that is not known and for a set without pictures. Single
    pictures and masks are read later: ``linewarden_train.data.checks`` looks at all of them.
    """
    chosen = recognise(folder).layout if layout == AUTO else _named(layout)
    try:
        samples = chosen.read(folder)
        samples.regroup(read_groups(folder / GROUPS))
    except (OSError, UnusableTable) as error:
        raise ValueError(f"{folder} cannot be read as {chosen.name}, which needs {chosen.needs}: {error}") from error
    if not len(samples):
        raise ValueError(f"{folder} holds no pictures; {chosen.name} needs {chosen.needs}")
    return samples


def table() -> str:
    """List the layouts, one a line, with what each needs."""
    return "\n".join(f"  {layout.name}: {layout.needs}" for layout in LAYOUTS)


def _named(name: str) -> Layout:
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise ValueError(f"layout {name!r} is none of {AUTO} and\n{table()}")


def _first(folder: Path, pattern: str) -> str:
    found = next((path for path in sorted(folder.glob(pattern)) if not is_hidden(path.name)), None)
    return "" if found is None else found.relative_to(folder).as_posix()


def _hint(folder: Path) -> str:
    """Name folders inside that would do, as a set of many categories has them."""
    inside = [
        path.name
        for path in sorted(folder.iterdir())
        if path.is_dir() and not is_hidden(path.name) and any(one.seen_in(path) for one in LAYOUTS)
    ]
    return f"; {', '.join(inside[:8])} inside it would do" if inside else ""
