"""File systems of their own, small enough to be full: ext4 in a file, mounted by loop. Needs root."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

_PIECE = 1 << 16
_FILLER = "filler"


def why_not() -> str | None:
    """Why no volume can be mounted here; None where one can."""
    if os.geteuid() != 0:
        return "loop mounts need root"
    for program, package in (("mkfs.ext4", "e2fsprogs"), ("mount", "mount")):
        if shutil.which(program) is None:
            return f"{program} is missing: sudo apt-get install {package}"
    return None


class Volume:
    """An ext4 of some MiB, mounted at `folder` within the block; journal commits happen with fsync alone."""

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        self._image, self._mib, self._cuts = folder.with_suffix(".img"), mib, 0

    def fill(self) -> int:
        """Take all the room that there is, and say how many bytes that was; 0 where there was none."""
        with (self.folder / _FILLER).open("ab") as filler:
            room = os.statvfs(self.folder)
            before = filler.tell()
            with contextlib.suppress(OSError):
                os.posix_fallocate(filler.fileno(), before, max(1, room.f_bavail * room.f_bsize - _PIECE))
            for size in (_PIECE, 1 << 12):
                while self._written(filler.fileno(), size):
                    pass
            return filler.seek(0, os.SEEK_END) - before

    def free(self) -> None:
        """Give the room back."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def cut(self) -> None:
        """Go on with the disk as it is at this moment: what was not synced is gone. Whoever writes has been killed."""
        self._cuts += 1
        copy = self._image.with_suffix(f".{self._cuts}")
        subprocess.run(["cp", "--sparse=always", str(self._image), str(copy)], check=True)
        self._unmount()
        copy.replace(self._image)
        self._mount()

    @staticmethod
    def _written(file: int, size: int) -> bool:
        try:
            os.write(file, bytes(size))
            os.fsync(file)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False
        return True

    def _mount(self) -> None:
        _run("mount", "-o", "loop,commit=300", str(self._image), str(self.folder))

    def _unmount(self) -> None:
        _run("umount", str(self.folder))

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(self._mib << 20)
        _run("mkfs.ext4", "-q", "-m", "0", str(self._image))
        self._mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _run("umount", "--lazy", str(self.folder))
        self._image.unlink()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
