"""Files that last: whole or not at all, and there after power failed."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from linewarden_runtime.errors import ConfigurationError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a disk or quota that is full."""


class FileSystem(Protocol):
    """What lasting files ask of an operating system. A file is its descriptor; each call raises OSError as `os` does.

    Its own bodies are the calls of POSIX, for `SystemFiles`; another system has all of its own.
    What was written lasts once `sync` returned, and a name that was made, replaced or removed once `sync_folder` did.
    """

    def make_folder(self, folder: Path) -> None:
        """Make one folder in a folder that is there; one that is there already is left as it is."""
        folder.mkdir(exist_ok=True)

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; FileNotFoundError where there is none."""
        return sorted(entry.name for entry in folder.iterdir())

    def open(self, path: Path, flags: int = os.O_RDONLY, mode: int = 0o640) -> int:
        """A descriptor, by the flags of `os.open`; `mode` is of a new file."""
        return os.open(path, flags, mode)

    def duplicate(self, file: int) -> int:
        """Another descriptor of the same open file."""
        return os.dup(file)

    def close(self, file: int) -> None:
        """Give a descriptor back, and the lock with the last of its file's."""
        os.close(file)

    def lock(self, file: int) -> None:
        """Take the file's lock, or raise BlockingIOError where another open file has it."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def size(self, file: int) -> int:
        """The size of an open file in bytes, as the file system tells it now."""
        return os.fstat(file).st_size

    def read(self, file: int, count: int, offset: int) -> bytes:
        """At most `count` bytes from `offset` on; fewer only at the end."""
        return os.pread(file, count, offset)

    def write(self, file: int, content: bytes, offset: int) -> int:
        """Write at a place; how many bytes were taken."""
        return os.pwrite(file, content, offset)

    def append(self, file: int, pieces: Sequence[bytes]) -> int:
        """Write at the end of a file that was opened to append; how many bytes were taken."""
        return os.writev(file, pieces)

    def cut(self, file: int, size: int) -> None:
        """Make the file this long."""
        os.ftruncate(file, size)

    def sync(self, file: int) -> None:
        """Make the content, and as much of the rest as reading it takes, last."""
        os.fdatasync(file)

    def sync_folder(self, folder: Path) -> None:
        """Make what was made, renamed or removed in a folder last."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def replace(self, path: Path, target: Path) -> None:
        """Give a file another name, in the place of what had it."""
        path.replace(target)

    def remove(self, path: Path) -> None:
        """Take a name away; one that is not there is no fault."""
        path.unlink(missing_ok=True)


class SystemFiles(FileSystem):
    """The file system of this machine."""


SYSTEM_FILES = SystemFiles()


def make_folders(folder: Path, files: FileSystem = SYSTEM_FILES) -> None:
    """Make a folder with its parents, each name durable; raises OSError."""
    try:
        inside = files.names(folder)
    except FileNotFoundError:
        make_folders(folder.parent, files)
        files.make_folder(folder)
        inside = []
    if not inside:  # perhaps made by a process that died before its name was durable
        files.sync_folder(folder.parent)


def write_all(files: FileSystem, file: int, content: bytes, offset: int) -> None:
    """Write all of it at a place, in as many writes as it takes; raises OSError."""
    while content:
        taken = files.write(file, content, offset)
        if taken == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        content, offset = content[taken:], offset + taken


def writable_file(path: Path | None) -> Path | None:
    """The same path, if a file can be written there: to be asked before the work whose result it takes.

    Raises:
        ConfigurationError: where its folder is missing or read-only, or where something else is in its place.
    """
    if path is None:
        return None
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigurationError(f"{path} cannot be written: there is no folder {folder}; make it first")
    if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)) or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{path} cannot be written: it is a folder, or nothing may be written there")
    return path


def writable_folder(path: Path | None) -> Path | None:
    """The same path, if a folder is there or can be made, and files in it.

    Raises:
        ConfigurationError: where that cannot be.
    """
    if path is None:
        return None
    there = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "nothing may be written there" if there.is_dir() else "it is no folder"
        raise ConfigurationError(f"{path} cannot be made or written: {there}: {why}")
    return path


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed or removed in a folder of this machine last; raises OSError."""
    SYSTEM_FILES.sync_folder(folder)


def replace_file(path: Path, content: bytes, files: FileSystem = SYSTEM_FILES) -> None:
    """Put a file in its place whole, durably before this returns; raises OSError, and then the old one stands."""
    unfinished = path.with_name(f"{path.name}.partial")
    file = files.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_all(files, file, content, 0)
        files.sync(file)
    finally:
        files.close(file)
    files.replace(unfinished, path)
    files.sync_folder(path.parent)
