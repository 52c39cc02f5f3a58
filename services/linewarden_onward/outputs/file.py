"""A file that others follow: one line of JSON a revision, on the disk before it counts as told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from linewarden_onward.cloud_event import event_of
from linewarden_onward.interface import GateAct, Notice, OutputAway, OutputRun
from linewarden_onward.options import OutputOptions
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.files import sync_folder, writable_file


class FileOptions(OutputOptions):
    """Lines are appended to `path`. At `rotate_bytes`, and with a new day (UTC), it is renamed and a new one begun.

    What was renamed is named by when it ended, and never touched again: whoever reads them deletes them.
    """

    kind: Literal["file"] = "file"
    path: Path
    rotate_bytes: int = Field(64 << 20, ge=1024)
    rotate_daily: bool = True

    def open(self, run: OutputRun) -> FileOutput:
        """The file, made where it is missing; raises as `OutputOptions.open`."""
        writable_file(self.path)
        try:
            return FileOutput(self, run)
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}") from error


class FileOutput:
    """One open file. A line is one write, and counts once its end of line is there.

    A write that a full disk cut short is taken back; what a power failure left of a line lies at the end of a renamed
    file, without an end of line, and is told again in the next.
    """

    def __init__(self, options: FileOptions, run: OutputRun) -> None:
        self._options, self._run, self._path = options, run, options.path
        self._source = f"/{run.line_id}/onward/{options.output_id}"
        self._file, self._size, self._day = -1, 0, ""
        self._open()
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            self._rotate()

    def tell(self, notices: Sequence[Notice]) -> None:
        """Append and make it last; raises OutputAway where the disk does not take it."""
        try:
            self._require_file()
            for notice in notices:
                self._append(event_of(notice.as_of(self._run.now_ms()), self._source, self._run.epoch) + b"\n")
            os.fsync(self._file)
        except OSError as error:
            raise OutputAway(f"{self._path}: {error.strerror}") from error

    def beat(self) -> Sequence[GateAct]:
        """Nothing: a file reports nothing."""
        return ()

    def close(self) -> None:
        """Give the file back; what lies in it stays."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _append(self, line: bytes) -> None:
        is_full = self._size and self._size + len(line) > self._options.rotate_bytes
        if is_full or (self._options.rotate_daily and self._size and self._today() != self._day):
            self._rotate()
        self._day = self._today()
        try:
            written = os.write(self._file, line)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        if written != len(line):
            os.ftruncate(self._file, self._size)
            raise OSError(None, "the disk is full")
        self._size += written

    def _require_file(self) -> None:
        """Open anew where somebody moved or deleted the file: what is told into it would be lost."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        mine = os.fstat(self._file) if self._file >= 0 else None
        if there is None or mine is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            self.close()
            self._open()

    def _rotate(self) -> None:
        os.fsync(self._file)
        self.close()
        ended = datetime.fromtimestamp(self._run.clock.now_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%S")
        number, target = 0, self._path.with_name(f"{self._path.stem}-{ended}{self._path.suffix}")
        while target.exists():
            number += 1
            target = self._path.with_name(f"{self._path.stem}-{ended}-{number}{self._path.suffix}")
        self._path.rename(target)
        self._open()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        found = os.fstat(self._file)
        self._size, self._day = found.st_size, _day(found.st_mtime)
        sync_folder(self._path.absolute().parent)

    def _today(self) -> str:
        return _day(self._run.clock.now_ms() / 1000)


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%d")
