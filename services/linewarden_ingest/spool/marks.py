"""The spool's small memory beside its segments: what was acknowledged, and what was announced."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from crc32c import crc32c

from .segment import sync_folder

_FILE = "marks"


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
    temporary = folder / f"{_FILE}.tmp"
    with temporary.open("w", encoding="ascii") as file:
        file.write(f"{text} {crc32c(text.encode()):08x}\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / _FILE)
    sync_folder(folder)


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
