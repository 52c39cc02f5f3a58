"""Sets whose folders say everything: plain ones, classes with masks, MVTec AD, KolektorSDD and KolektorSDD2."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from linewarden_train.data.files import FileMask, FileSamples, SampleFile
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import is_hidden, is_picture, pictures_below, pictures_in

_DEFECT = "defect"
"""The class of what is only known to be bad."""


def read_plain(folder: Path) -> FileSamples:
    """Read folder/good and folder/bad, without masks: what a line has on its first day."""
    return FileSamples([*good_entries(folder / GOOD, f"{GOOD}/"), *bad_entries(folder / "bad", "bad/")])


def good_entries(folder: Path, prefix: str = "") -> list[SampleFile]:
    """List the good pictures of a folder and of those inside it; ``prefix`` begins their names."""
    names = {path: prefix + path.relative_to(folder).as_posix() for path in pictures_below(folder)}
    return [SampleFile(path, Label(GOOD, name, name)) for path, name in names.items()]


def bad_entries(folder: Path, prefix: str = "") -> list[SampleFile]:
    """List the bad pictures; the folder directly inside names the class, "defect" where there is none."""
    found = []
    for path in pictures_below(folder):
        inside = path.relative_to(folder)
        kind = inside.parts[0] if len(inside.parts) > 1 and inside.parts[0] != GOOD else _DEFECT
        name = prefix + inside.as_posix()
        found.append(SampleFile(path, Label(kind, name, name)))
    return found


def read_folders(folder: Path) -> FileSamples:
    """Read images/<class>/<name> with masks/<class>/<name>.png, in order of name; class "good" is good.

    Every picture is a group of its own. Raises ValueError when there is no picture at all.
    """
    images = folder / "images"
    found = sorted(path for path in images.glob("*/*") if is_picture(path) and not is_hidden(path.parent.name))
    if not found:
        raise ValueError(f"no pictures under {images}/<class>/; good ones belong in {images}/{GOOD}/")
    return FileSamples(
        [
            SampleFile(
                path,
                Label(path.parent.name, (short := f"{path.parent.name}/{path.name}"), f"images/{short}"),
                FileMask(folder / "masks" / path.parent.name / f"{path.stem}.png"),
            )
            for path in found
        ]
    )


def read_mvtec(folder: Path) -> FileSamples:
    """Read one category of MVTec AD: train/good, test/<class>, ground_truth/<class>/NNN_mask.png.

    Every picture is a group of its own. A category's name plays no part.
    """
    kinds = [
        (split, kind)
        for split in ("train", "test")
        for kind in sorted((folder / split).glob("*"))
        if kind.is_dir() and not is_hidden(kind.name)
    ]
    return FileSamples(
        [
            SampleFile(
                picture,
                Label(kind.name, (name := picture.relative_to(folder).as_posix()), name, split),
                FileMask(folder / "ground_truth" / kind.name / f"{picture.stem}_mask.png"),
            )
            for split, kind in kinds
            for picture in pictures_in(kind)
        ]
    )


def read_kolektor_sdd(folder: Path) -> FileSamples:
    """Read kosNN/PartN.jpg with PartN_label.bmp, blank for good; the pictures of one commutator are one group."""
    pictures = [(picture, kos.name, "") for kos in sorted(folder.glob("kos*")) for picture in pictures_in(kos)]
    return FileSamples(list(_kolektor(folder, pictures, "_label", ".bmp")))


def read_kolektor_sdd2(folder: Path) -> FileSamples:
    """Read train|test/NNNNN.png with NNNNN_GT.png, blank for good; every picture is a group of its own."""
    pictures = [
        (picture, f"{split}/{picture.stem}", split)
        for split in ("train", "test")
        for picture in pictures_in(folder / split)
    ]
    return FileSamples(list(_kolektor(folder, pictures, "_GT", ".png")))


def _kolektor(folder: Path, pictures: list[tuple[Path, str, str]], ending: str, suffix: str) -> Iterator[SampleFile]:
    """Give each picture, with its group and split, the mask beside it: the same stem, that ending and suffix."""
    for picture, group, split in pictures:
        if not picture.stem.endswith(ending):
            mask, marked = FileMask(picture.with_name(f"{picture.stem}{ending}{suffix}"), required=True), True
            with contextlib.suppress(ValueError):  # one that cannot be read counts as marked, so that reading it fails
                marked = mask.read(None) is not None
            name = picture.relative_to(folder).as_posix()
            yield SampleFile(picture, Label(_DEFECT if marked else GOOD, group, name, split), mask)
