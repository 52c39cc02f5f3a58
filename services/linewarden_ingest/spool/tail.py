"""The file that records are appended to, and the lock that keeps its folder to one process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from linewarden_ingest.spool.faults import SpoolBroken, SpoolFull, SpoolInUse
from linewarden_ingest.spool.segment import Segment
from linewarden_runtime.files import FileSystem


class Tail:
    """The open file of the newest segment; written and changed by one thread."""

    def __init__(self, files: FileSystem) -> None:
        self._files, self._file = files, -1

    @property
    def is_open(self) -> bool:
        """Whether a segment is open."""
        return self._file >= 0

    def open(self, segment: Segment) -> None:
        """Go on with a segment that is there."""
        self._replace(self._files.open(segment.path, os.O_WRONLY | os.O_APPEND))

    def adopt(self, file: int) -> None:
        """Go on with the file of a segment that was just begun."""
        self._replace(file)

    def write(self, pieces: list[bytes], at: int) -> None:
        """Append all pieces, or leave the file as long as it was, `at` bytes.

        Raises:
            SpoolFull: where the disk has no room, or refuses for now.
            SpoolBroken: where what it took of them cannot be taken away again.
        """
        try:
            self._append_all(pieces)
        except OSError as error:
            self._take_back(at)
            raise SpoolFull(f"the disk refuses to write: {error}") from error

    def _append_all(self, pieces: list[bytes]) -> None:
        while pieces:
            taken = self._files.append(self._file, pieces)
            # No error and nothing taken: without this the loop would not end.
            if taken == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            pieces = _behind(pieces, taken)

    def _take_back(self, at: int) -> None:
        try:
            # Nothing to cut where nothing was taken; a full disk may refuse even that.
            if self._files.size(self._file) != at:
                self._files.cut(self._file, at)
        except OSError as error:
            raise SpoolBroken(f"a record that was written in part cannot be taken back: {error}") from error

    def duplicate(self) -> int:
        """A descriptor of its own, for an fsync that outlives this segment."""
        return self._files.duplicate(self._file)

    def close(self) -> None:
        """Close; calling it twice is harmless."""
        self._replace(-1)

    def _replace(self, file: int) -> None:
        if self._file >= 0:
            self._files.close(self._file)
        self._file = file


def _behind(pieces: list[bytes], taken: int) -> list[bytes]:
    """What is left of the pieces behind so many bytes."""
    for at, piece in enumerate(pieces):
        if taken < len(piece):
            return [piece[taken:], *pieces[at + 1 :]]
        taken -= len(piece)
    return []


def begin(segment: Segment, files: FileSystem) -> int:
    """Make the file of a new segment, its name durable, and give its descriptor; raises OSError and leaves none."""
    file = files.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL)
    try:
        # A file whose name is not durable is gone after a power cut, however well its content was synced.
        files.sync_folder(segment.path.parent)
    except OSError:
        files.close(file)
        files.remove(segment.path)
        raise
    return file


def hold(folder: Path, files: FileSystem) -> int:
    """Keep other processes out as long as the answer, a descriptor, is open.

    Raises:
        SpoolInUse: where another holds it.
    """
    file = files.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        files.lock(file)
    except BlockingIOError as error:
        files.close(file)
        raise SpoolInUse(f"the spool {folder} is in use; see by whom with 'fuser {folder / 'lock'}'") from error
    return file
