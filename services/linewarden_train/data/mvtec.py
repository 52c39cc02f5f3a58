"""One category of MVTec AD: train/good, test/<class>, ground_truth/<class>/NNN_mask.png."""

from pathlib import Path

from linewarden_train.data.files import Entry, FileSamples
from linewarden_train.data.mask_sources import FileMask
from linewarden_train.data.samples import Label
from linewarden_vision.pictures.folders import is_hidden, pictures_in


def read_mvtec(folder: Path) -> FileSamples:
    """Read train and test; every picture is a group of its own. A category's name plays no part."""
    return FileSamples(
        [
            _entry(folder, split, kind, picture)
            for split in ("train", "test")
            for kind in sorted(
                path for path in (folder / split).glob("*") if path.is_dir() and not is_hidden(path.name)
            )
            for picture in pictures_in(kind)
        ]
    )


def _entry(folder: Path, split: str, kind: Path, picture: Path) -> Entry:
    mask = folder / "ground_truth" / kind.name / f"{picture.stem}_mask.png"
    name = picture.relative_to(folder).as_posix()
    return Entry(picture, Label(kind.name, name, name, split), FileMask(mask))
