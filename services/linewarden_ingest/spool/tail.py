"""The file that records are appended to, and the lock that keeps its folder to one process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from linewarden_runtime.files import sync_folder

from .faults import SpoolFull, SpoolInUse
from .segment import Segment


class Tail:
    """The open file of the newest segment; written and changed by one thread."""

    def __init__(self) -> None:
        self._file = -1

    @property
    def is_open(self) -> bool:
        """Whether a segment is open."""
        return self._file >= 0

    def open(self, segment: Segment) -> None:
        """Go on with a segment that is there."""
        self._replace(os.open(segment.path, os.O_WRONLY | os.O_APPEND))

    def adopt(self, file: int) -> None:
        """Go on with the file of a segment that was just begun."""
        self._replace(file)

    def write(self, pieces: list[bytes], at: int) -> None:
        """Append all pieces, or leave the file as long as it was, `at` bytes.

        Raises:
            SpoolFull: where the disk has no room.
        """
        size = sum(map(len, pieces))
        try:
            written = os.writev(self._file, pieces)
        except OSError as error:
            os.ftruncate(self._file, at)
            raise SpoolFull(f"the disk refuses to write: {error}") from error
        if written != size:
            os.ftruncate(self._file, at)
            raise SpoolFull(f"the disk took {written} of {size} bytes")

    def duplicate(self) -> int:
        """A descriptor of its own, for an fsync that outlives this segment."""
        return os.dup(self._file)

    def close(self) -> None:
        """Close; calling it twice is harmless."""
        self._replace(-1)

    def _replace(self, file: int) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = file


def begin(segment: Segment) -> int:
    """Make the file of a new segment, its name durable, and give its descriptor."""
    file = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o640)
    sync_folder(segment.path.parent)
    return file


def hold(folder: Path) -> int:
    """Keep other processes out as long as the answer, a descriptor, is open.

    Raises:
        SpoolInUse: where another holds it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SpoolInUse(f"the spool {folder} is in use; see by whom with 'fuser {folder / 'lock'}'") from error
    return descriptor
