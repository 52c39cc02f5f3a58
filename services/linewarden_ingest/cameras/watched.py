"""The files of a watched folder: listed, read, and put away where no other file can be taken for them."""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePath
from typing import Literal

import structlog

from linewarden_ingest.cameras.arrivals import Stamp
from linewarden_ingest.cameras.interface import CameraFault
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.ids import digest
from linewarden_vision.pictures.folders import is_picture

_MOST_BYTES = 512 << 20
_SHELVES = ("done", "failed")
_STAGED = re.compile(r"^\.(\d+)\.(.+)$")
_log = structlog.get_logger(__name__)


class FileUnusable(Exception):
    """A file that is there and cannot be read now, with its stamp as far as it is known."""

    def __init__(self, why: str, stamp: Stamp) -> None:
        super().__init__(why)
        self.stamp = stamp


@dataclass(frozen=True, slots=True)
class FolderListing:
    """Pictures by name, names that were surely renamed into place, and how many names were refused since the last."""

    pictures: Mapping[str, Stamp]
    renamed: frozenset[str]
    refused: int


class WatchedFolder:
    """A folder that others write into. `happened` is set when the operating system tells of a change in it.

    Raises:
        CameraFault: where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_dir():
            raise CameraFault(f"{path} is no folder, or not there yet; make it, or mount the share it lies on")
        self.happened = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._told_renamed: set[str] = set()
        self._unfinished: frozenset[int] = frozenset()
        self._refused: set[str] = set()
        self._follower = threading.Thread(target=self._follow, name="watch", daemon=True)

    def follow(self) -> None:
        """Begin to wait for events."""
        self._follower.start()

    def close(self) -> None:
        """End the thread that waits for events, where it was begun."""
        self._ended.set()
        if self._follower.is_alive():
            self._follower.join()

    def listed(self) -> FolderListing:
        """What is there now.

        A file that had a name of no picture before, or whose unfinished name the system says is gone, was renamed.
        Raises CameraFault where the folder cannot be listed.
        """
        self.happened.clear()
        with self._lock:
            renamed, self._told_renamed = self._told_renamed, set()
        pictures: dict[str, Stamp] = {}
        unfinished: set[int] = set()
        refused: set[str] = set()
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    if not is_picture(PurePath(entry.name)):
                        unfinished.add(entry.inode())
                    elif (stamp := self._stamp(entry.name)) is not None:
                        pictures[entry.name] = stamp
                    elif os.path.lexists(entry.path):
                        refused.add(entry.name)
        except OSError as error:
            raise CameraFault(f"{self._path} cannot be listed: {error}") from error
        renamed.update(name for name, stamp in pictures.items() if stamp.inode in self._unfinished)
        new, self._refused = refused - self._refused, refused
        for name in new:
            _log.error("not taken: a link out of the folder or to another picture in it, or no file", file=name)
        self._unfinished = frozenset(unfinished)
        return FolderListing(pictures, frozenset(renamed), len(new))

    def read(self, name: str) -> tuple[bytes, Stamp]:
        """A file's content and its stamp, of one moment.

        Raises:
            FileNotFoundError: where it is gone.
            FileUnusable: where it may not be read, is too large, or changed meanwhile.
        """
        if (seen := self._stamp(name)) is None:
            raise FileNotFoundError(name)
        try:
            # Never a link here, nor waiting for the writer of a pipe: what was looked at may be another thing by now.
            file = os.open(self._path / self._target(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise FileUnusable(f"the file cannot be read: {error.strerror}", seen) from error
        with open(file, "rb") as content:  # noqa: PTH123 - a descriptor
            before = os.fstat(file)
            if not stat.S_ISREG(before.st_mode):
                raise FileNotFoundError(name)
            if before.st_size > _MOST_BYTES:
                raise FileUnusable(f"the file has {before.st_size} bytes; {_MOST_BYTES} are allowed", Stamp.of(before))
            try:
                data = content.read(_MOST_BYTES)
            except OSError as error:
                raise FileUnusable(f"the file cannot be read: {error.strerror}", Stamp.of(before)) from error
            after = Stamp.of(os.fstat(file))
        if after != Stamp.of(before) or after.size != len(data):
            raise FileUnusable("the file is still being written", after)
        return data, after

    def prepare(self, taken: Callable[[int, str], str | None]) -> None:
        """Make the folders that files are put into, and finish what a death left half done there.

        `taken` gives the digest of what is in the spool of a shot and a name.
        Raises ConfigurationError where nothing may be moved.
        """
        try:
            if not os.access(self._path, os.W_OK | os.X_OK):
                raise PermissionError(f"nothing may be moved in {self._path}")
            for shelf in (self._path / one for one in _SHELVES):
                shelf.mkdir(exist_ok=True)
                for staged in shelf.iterdir():
                    if match := _STAGED.match(staged.name):
                        index, name = int(match[1]), match[2]
                        self._shelve(staged, name, index, None, taken(index, name))
        except OSError as error:
            raise ConfigurationError(f"{error}; let it be written, or set after = 'keep'") from error

    def put_away(
        self, name: str, stamp: Stamp, content: str, index: int, shelf: Literal["done", "failed"]
    ) -> Literal["done", "failed", "gone", "replaced"]:
        """Move a file that was taken, and no other: what came in its place meanwhile is left, to be taken by itself.

        `content` is the digest of what was taken. Raises OSError where it cannot be moved.
        """
        place, staged = self._path / name, self._path / shelf / f".{index}.{name}"
        try:
            if place.is_symlink():
                place.rename(_free(self._path / shelf / name, index))
                return shelf
            if Stamp.of(place.stat()) != stamp and digest(place.read_bytes()) != content:
                return "replaced"
            place.rename(staged)
        except FileNotFoundError:
            return "gone"
        # Only what is looked at under a name that nobody else writes can be said to be what was taken.
        return shelf if self._shelve(staged, name, index, stamp, content) else "replaced"

    def _shelve(self, staged: Path, name: str, index: int, stamp: Stamp | None, content: str | None) -> bool:
        """Give what was moved its last name, or give it back where it is not what was taken; whether it was."""
        is_same = stamp is not None and Stamp.of(staged.stat()).outlives_renaming(stamp)
        if is_same or digest(staged.read_bytes()) == content:
            staged.rename(_free(staged.with_name(name), index))
            return True
        try:
            os.link(staged, self._path / name)
            staged.unlink()
        except OSError:  # a third one came meanwhile, or the file system has no hard links
            staged.rename(_free((self._path / name).with_stem(f"{PurePath(name).stem}.{index}"), index))
        return False

    def _stamp(self, name: str) -> Stamp | None:
        """The stamp of a picture's file; None where it is gone or none that is taken."""
        try:
            status = (self._path / self._target(name)).lstat()
        except OSError:
            return None
        return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None

    def _target(self, name: str) -> Path:
        """Where a file lies: a link leads to a file deeper in the folder, and to none that is taken by itself.

        Raises FileNotFoundError where it leads anywhere else.
        """
        place = self._path / name
        if not place.is_symlink():
            return Path(name)
        here = self._path.resolve()
        try:
            target = place.resolve(strict=True)
        except (OSError, RuntimeError) as error:  # a circle of links
            raise FileNotFoundError(name) from error
        if not target.is_relative_to(here) or target.relative_to(here).parts[:1] in {(one,) for one in _SHELVES}:
            raise FileNotFoundError(name)
        if target.parent == here:
            raise FileNotFoundError(name)
        return target

    def _follow(self) -> None:
        from watchfiles import Change, watch  # noqa: PLC0415 - the supervisor, which reads the options, stays small

        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # else a line for each file
        try:
            for changes in watch(
                self._path,
                watch_filter=None,
                debounce=50,
                step=10,
                rust_timeout=500,
                stop_event=self._ended,
                raise_interrupt=False,
                recursive=False,
                force_polling=False,
            ):
                gone = [PurePath(path).name for change, path in changes if change is Change.deleted]
                added = [PurePath(path).name for change, path in changes if change is Change.added]
                with self._lock:
                    # `a.png` in the moment in which `a.png.part` or `.a.png.Xy3` goes: a tool that renames.
                    self._told_renamed.update(
                        name for name in added if any(name in one and name != one for one in gone)
                    )
                self.happened.set()
        except (OSError, RuntimeError) as error:
            _log.warning("no events of the folder; it is listed from time to time alone", why=str(error))


def _free(path: Path, index: int) -> Path:
    """The path, or one beside it that nothing has."""
    names = chain([path.name], (f"{path.stem}.{index}{f'.{n}' if n else ''}{path.suffix}" for n in count()))
    return next(one for name in names if not os.path.lexists(one := path.with_name(name)))
