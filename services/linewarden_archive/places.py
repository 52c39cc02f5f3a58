"""Where things lie in an archive. No path is ever read from a file: each is made of a known topic and two numbers.

A topic's folder is a data set: `partition=N` is told by the folder, and what is no table has a name that begins with
an underscore, so that readers of data sets pass it over. Files of the first layout, `N/...`, stay where they are.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from linewarden_archive.findings import ArchiveDamaged
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.files import make_folders, sync_folder
from linewarden_schemas.topics import CATALOGUE

MANIFEST, LOCK = "manifest.jsonl", "writer.lock"
UNFINISHED = ".partial"
_CONTENTS = "contents.gz"


class SegmentPlace(NamedTuple):
    """One segment: a topic of the catalogue, its partition, and the offset of its first record.

    The `generation` grows by one each time that something is deleted from it.
    """

    topic: str
    partition: int
    first_offset: int
    generation: int = 0

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.first_offset}"


def ending_of(topic: str) -> str:
    """``mcap`` for pictures, ``parquet`` for JSON."""
    return "mcap" if topic == "frames" else "parquet"


def segment_path(root: Path, place: SegmentPlace) -> Path:
    """The file of a segment; raises ArchiveDamaged for a topic that is none or a number that is negative."""
    return _path(root, place, ending_of(place.topic))


def contents_path(root: Path, place: SegmentPlace) -> Path:
    """The file that lists what its segment holds; raises as `segment_path`."""
    return _path(root, place, _CONTENTS)


def _path(root: Path, place: SegmentPlace, ending: str) -> Path:
    if place.topic not in CATALOGUE or min(place[1:]) < 0:
        raise ArchiveDamaged(f"{place} is no place of an archive")
    name = f"{place.first_offset:020d}-{place.generation}.{ending}"
    before = root / place.topic / str(place.partition) / name
    if before.exists() or before.is_symlink():
        return before
    hidden = "_" if ending == _CONTENTS else ""
    return root / place.topic / f"partition={place.partition}" / f"{hidden}{name}"


def refuse_links(root: Path, path: Path) -> None:
    """Raise ConfigurationError where anything below the root on the way to a path is a symbolic link."""
    for step in (path, *path.parents):
        if step == root:
            return
        if step.is_symlink():
            raise ConfigurationError(f"{step} is a symbolic link; an archive holds plain files and folders alone")
    raise ConfigurationError(f"{path} lies outside {root}")


def read_plain(root: Path, path: Path) -> bytes:
    """Read a plain file of the archive.

    Raises ConfigurationError for a link on the way or at its end, and OSError for a file that cannot be read.
    """
    refuse_links(root, path)
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ConfigurationError(f"{path} is no plain file")
        return file.read()


def write_whole(root: Path, path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also when power fails.

    Raises ConfigurationError for a link on the way, and OSError for a disk that is full.
    """
    make_folders(path.parent)
    refuse_links(root, path)
    unfinished = path.with_name(path.name + UNFINISHED)
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    unfinished.replace(path)
    sync_folder(path.parent)
