"""The spool's small memory beside its segments: what was acknowledged, and what was announced."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from crc32c import crc32c

from linewarden_runtime.clock import Clock
from linewarden_runtime.files import replace_file

_FILE = "marks"
_SAVE_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Marks:
    """`acked_next` is the sequence after the last acknowledged one; `announced` the highest told in a heartbeat.

    `finished_run` is the run (its begin, epoch ms) whose source came to its end, -1 for none.
    """

    epoch: int
    acked_next: int = 0
    announced: int = -1
    finished_run: int = -1


def save(folder: Path, marks: Marks) -> None:
    """Write durably, whole or not at all."""
    text = f"{marks.epoch} {marks.acked_next} {marks.announced} {marks.finished_run}"
    replace_file(folder / _FILE, f"{text} {crc32c(text.encode()):08x}\n".encode("ascii"))


def load(folder: Path, epoch: int) -> Marks | None:
    """What was saved for this epoch, or None where marks are missing or damaged."""
    try:
        text, _, crc = (folder / _FILE).read_text(encoding="ascii").strip().rpartition(" ")
        if f"{crc32c(text.encode()):08x}" != crc:
            return None
        saved = [int(word) for word in text.split()]
    except (FileNotFoundError, ValueError):
        return None
    return Marks(saved[0], saved[1], saved[2], saved[3]) if saved[0] == epoch else None


class MarksKeeper:
    """The marks in force; threads change them one after the other, each on top of what the others changed."""

    def __init__(self, folder: Path, marks: Marks, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._saved, self._saved_at = marks, clock.monotonic()
        self._lock = threading.Lock()
        self.now = marks

    def acked(self, next_sequence: int, *, durably: bool) -> None:
        """Move the pointer forward; durable at once, or within a quarter of a second of further calls."""
        with self._lock:
            self.now = replace(self.now, acked_next=max(next_sequence, self.now.acked_next))
            if durably or self._clock.monotonic() - self._saved_at >= _SAVE_EVERY_S:
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
            save(self._folder, self.now)
            self._saved, self._saved_at = self.now, self._clock.monotonic()
