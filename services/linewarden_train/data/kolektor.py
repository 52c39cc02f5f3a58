"""KolektorSDD (a folder per commutator) and KolektorSDD2 (train and test folders); blank masks mean good."""

from collections.abc import Iterator
from pathlib import Path

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.mask_sources import FileMask
from linewarden_train.data.samples import GOOD, Label
from linewarden_vision.pictures.folders import pictures_in

DEFECT = "defect"


def read_kolektor_sdd(folder: Path) -> FileSamples:
    """Read kosNN/PartN.jpg with PartN_label.bmp; the pictures of one commutator are one group."""
    return FileSamples(
        [
            _entry(folder, picture, picture.with_name(f"{picture.stem}_label.bmp"), kos.name, "")
            for kos in sorted(folder.glob("kos*"))
            for picture in pictures_in(kos)
            if not picture.stem.endswith("_label")
        ]
    )


def read_kolektor_sdd2(folder: Path) -> FileSamples:
    """Read train|test/NNNNN.png with NNNNN_GT.png; every picture is a group of its own."""
    return FileSamples(list(_second(folder)))


def _second(folder: Path) -> Iterator[Entry]:
    for split in ("train", "test"):
        for picture in pictures_in(folder / split):
            if not picture.stem.endswith("_GT"):
                mask = picture.with_name(f"{picture.stem}_GT.png")
                yield _entry(folder, picture, mask, f"{split}/{picture.stem}", split)


def _entry(folder: Path, picture: Path, path: Path, group: str, split: str) -> Entry:
    mask = FileMask(path, required=True)
    kind = DEFECT if _marked(mask) else GOOD
    name = picture.relative_to(folder).as_posix()
    return Entry(picture, Label(kind, group, name, split), mask)


def _marked(mask: FileMask) -> bool:
    """Tell whether anything is marked; a mask that cannot be read counts as marked, so that reading it fails."""
    try:
        return mask.read(None) is not None
    except ValueError:
        return True
