"""The spool's small memory beside its segments: what was acknowledged, and what was announced.

The file `marks` has two slots, each in a block of its own that is reserved when the spool is made. They are written
in place and in turn, so that a full disk refuses none, and one that is torn leaves the other.

    magic 4 | turn 8 | epoch 8 | acked_next 8 | announced 8 | finished_run 8 | CRC 4
"""

from __future__ import annotations

import os
import struct
import threading
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from crc32c import crc32c

from linewarden_ingest.spool.faults import SpoolBroken, SpoolFull
from linewarden_runtime.clock import Clock
from linewarden_runtime.files import NO_ROOM, FileSystem, write_all

# A block of a disk, so that a torn write cannot reach into the other slot.
_SLOT_BYTES = 4 << 10
_MAGIC = b"LWM2"
_SLOT = struct.Struct("<4sQQQqq")
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Marks:
    """`acked_next` is the sequence after the last acknowledged one; `announced` the highest told in a heartbeat.

    `finished_run` is the run (its begin, epoch ms) whose source came to its end, -1 for none.
    """

    epoch: int
    acked_next: int
    announced: int = -1
    finished_run: int = -1


class MarksFile:
    """The marks on disk, open as long as the spool."""

    def __init__(self, folder: Path, files: FileSystem) -> None:
        self._path, self._files = folder / "marks", files
        self._file = files.open(self._path, os.O_RDWR | os.O_CREAT)
        self._turn = 0

    def load(self, epoch: int) -> Marks | None:
        """What was saved last for this epoch, or None where marks are missing or damaged; raises OSError."""
        self._files.sync(self._file)  # what is read: a process that died had perhaps not made it durable
        size = self._files.size(self._file)
        raw = self._files.read(self._file, 2 * _SLOT_BYTES, 0)
        turns = [turn for place in (0, _SLOT_BYTES) if (turn := _read_slot(raw[place : place + _SLOT_BYTES]))]
        # The newer slot that is whole; the former form where there is none yet.
        self._turn, marks = max(turns, key=lambda turn: turn[0], default=(0, _read_text(raw[:_SLOT_BYTES])))
        if size < 2 * _SLOT_BYTES:
            self._reserve(raw)
        # Of another epoch they would acknowledge sequences that this spool has yet to give.
        return marks if marks is not None and marks.epoch == epoch else None

    def save(self, marks: Marks) -> None:
        """Write durably, in place of the older of the two slots.

        Raises:
            SpoolFull: where the disk has no room, although it was reserved; the marks before it stand.
            SpoolBroken: where the disk refuses.
        """
        turn = self._turn + 1
        body = _SLOT.pack(_MAGIC, turn, *astuple(marks))
        try:
            write_all(self._files, self._file, body + _CRC.pack(crc32c(body)), turn % 2 * _SLOT_BYTES)
            self._files.sync(self._file)
        except OSError as error:
            told = f"{self._path}: {error}"
            raise (SpoolFull(told) if error.errno in NO_ROOM else SpoolBroken(told)) from error
        # Only now: a save that failed is tried again on the same slot, and the other one stands.
        self._turn = turn

    def close(self) -> None:
        """Close the file without writing or syncing anything more."""
        self._files.close(self._file)

    def _reserve(self, raw: bytes) -> None:
        """Take the room of both slots; where there is none yet, `save` asks for it again."""
        try:
            write_all(self._files, self._file, bytes(2 * _SLOT_BYTES - len(raw)), len(raw))
            self._files.sync(self._file)
            self._files.sync_folder(self._path.parent)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise


def _read_slot(raw: bytes) -> tuple[int, Marks] | None:
    """The turn and the marks of a slot, or None where it holds nothing whole."""
    body, crc = raw[: _SLOT.size], raw[_SLOT.size : _SLOT.size + _CRC.size]
    if len(crc) < _CRC.size or not body.startswith(_MAGIC) or _CRC.unpack(crc)[0] != crc32c(body):
        return None
    _, turn, *marks = _SLOT.unpack(body)
    return turn, Marks(*marks)


def _read_text(raw: bytes) -> Marks | None:
    """The former form, a line of text with its CRC; it stands until the second slot is written."""
    text, _, crc = raw.rstrip(b"\0").strip().rpartition(b" ")
    if f"{crc32c(text):08x}".encode() != crc:
        return None
    epoch, acked_next, announced, finished_run = map(int, text.split())
    return Marks(epoch, acked_next, announced, finished_run)


class MarksKeeper:
    """The marks in force; threads change them one after the other, each on top of what the others changed.

    Each call raises SpoolFull or SpoolBroken where `MarksFile.save` does; what changed is saved with the next.
    """

    def __init__(self, file: MarksFile, marks: Marks, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._saved, self._saved_at = marks, clock.monotonic()
        self._lock = threading.Lock()
        self.now = marks

    def acked(self, next_sequence: int, *, durably: bool) -> None:
        """Move the pointer forward; durable at once, or within a quarter of a second of further calls."""
        with self._lock:
            # Never back: two threads may come in the other order than their acknowledgements.
            self.now = replace(self.now, acked_next=max(next_sequence, self.now.acked_next))
            # A pointer that is a little old costs no more than records sent twice, which readers bear; an fsync for
            # each costs more.
            if durably or self._clock.monotonic() - self._saved_at >= 0.25:
                self._save()

    def announced(self, sequence: int) -> None:
        """Raise the highest announced sequence, durably."""
        with self._lock:
            self.now = replace(self.now, announced=max(sequence, self.now.announced))
            self._save()

    def finished(self, run_ms: int) -> None:
        """Name the run that came to its end, durably."""
        with self._lock:
            self.now = replace(self.now, finished_run=run_ms)
            self._save()

    def save(self) -> None:
        """Make all of it durable."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        if self.now != self._saved:
            self._file.save(self.now)
            self._saved, self._saved_at = self.now, self._clock.monotonic()
