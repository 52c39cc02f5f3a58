"""Messages of a stretch of the topics, sorted by visit on disk: memory does not grow with the stretch."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from linewarden_schemas.base import Message
from linewarden_schemas.registry import MESSAGE_TYPES

_BATCH = 512
_CACHE_KIB = 32 * 1024
_INSERT = "INSERT INTO messages (visit, type, body) VALUES (?, ?, ?)"
_SORTED = "SELECT visit, type, body FROM messages ORDER BY visit, place"
_GAPS = """
SELECT run, before + 1, sequence - 1 FROM (
  SELECT run, sequence, LAG(sequence) OVER (PARTITION BY run ORDER BY sequence) AS before FROM sequences
) WHERE sequence > before + 1 ORDER BY run, sequence
"""


class Shelf:
    """A temporary SQLite file in the folder for such files (TMPDIR); belongs to one thread and ends with its block."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="linewarden-report-")
        self._file = sqlite3.connect(Path(self._folder.name) / "shelf.sqlite")
        for line in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA temp_store = FILE",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "CREATE TABLE messages (place INTEGER PRIMARY KEY, visit TEXT, type TEXT, body BLOB)",
            "CREATE TABLE sequences (run TEXT, sequence INTEGER, PRIMARY KEY (run, sequence)) WITHOUT ROWID",
        ):
            self._file.execute(line)
        self._waiting: list[tuple[str, str, bytes]] = []

    def put(self, visit_id: str, message: Message) -> None:
        """Keep one message of a visit; those of a visit come back in the order in which they were put."""
        self._waiting.append((visit_id, message.TYPE, message.to_json()))
        if len(self._waiting) >= _BATCH:
            self._write()

    def put_sequence(self, run: str, sequence: int) -> None:
        """Keep a number that a camera gave; `run` names camera and spool epoch."""
        self._file.execute("INSERT OR IGNORE INTO sequences VALUES (?, ?)", (run, sequence))

    def visits(self) -> Iterator[tuple[str, list[Message]]]:
        """Every visit with its messages, in order of the visits' names."""
        self._write()
        rows = self._file.execute(_SORTED)
        for visit, group in groupby(rows, key=lambda row: str(row[0])):
            yield visit, [MESSAGE_TYPES[kind].from_json(body) for _, kind, body in group]

    def gaps(self) -> Iterator[str]:
        """Numbers between two given ones that no capture carries, as `<run>.seq<first>-<last>`."""
        for run, first, last in self._file.execute(_GAPS):
            yield f"{run}.seq{first}-{last}"

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
        self._folder.cleanup()

    def _write(self) -> None:
        self._file.executemany(_INSERT, self._waiting)
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
