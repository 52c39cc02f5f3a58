"""Messages of a stretch of the topics, sorted by visit on disk: memory does not grow with the stretch."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from linewarden_history.ledger import UNWRITTEN, Written
from linewarden_schemas.base import Message
from linewarden_schemas.registry import MESSAGE_TYPES

_BATCH = 512
_CACHE_KIB = 8 * 1024
_INSERT = "INSERT INTO messages (visit, type, body, lies, at_ms, at) VALUES (?, ?, ?, ?, ?, ?)"
_SORTED = "SELECT visit, type, body, lies, at_ms, at FROM messages ORDER BY visit, place"
_LAST = "INSERT INTO ends VALUES (?, ?) ON CONFLICT (run) DO UPDATE SET last = MAX(last, excluded.last)"
_NUMBER = "INSERT OR IGNORE INTO sequences VALUES (?, ?, ?, ?)"
_HOLDER = "SELECT frame, inside FROM sequences WHERE run = ? AND sequence = ?"
_GAPS = """
WITH given AS (
  SELECT run, sequence, inside FROM sequences
  UNION ALL SELECT run, last + 1, 1 FROM ends WHERE run IN (SELECT run FROM sequences UNION SELECT run FROM marks)
  UNION ALL SELECT run, last, 0 FROM marks
)
SELECT run, before + 1, sequence - 1 FROM (
  SELECT run, sequence, inside, LAG(sequence) OVER (PARTITION BY run ORDER BY sequence) AS before FROM given
) WHERE inside AND sequence > before + 1 ORDER BY run, sequence
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
            "CREATE TABLE messages (place INTEGER PRIMARY KEY, visit TEXT, type TEXT, body BLOB, lies, at_ms, at)",
            "CREATE TABLE sequences (run TEXT, sequence INTEGER, frame TEXT, inside INT, PRIMARY KEY (run, sequence))",
            "CREATE TABLE marks (run TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID",
            "CREATE TABLE doubled (frame TEXT PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE ends (run TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID",
        ):
            self._file.execute(line)
        self._waiting: list[tuple[str, str, bytes, int, int | None, str]] = []

    def put(self, visit_id: str, message: Message, written: Written = UNWRITTEN) -> None:
        """Keep one message of a visit; those of a visit come back in the order in which they were put."""
        where = (written.offset, written.at_ms, written.place)
        self._waiting.append((visit_id, message.TYPE, message.to_json(), *where))
        if len(self._waiting) >= _BATCH:
            self._write()

    def put_sequence(self, run: str, sequence: int, frame_id: str, *, inside: bool = True) -> None:
        """Keep a number that a camera gave; `run` names camera and spool epoch.

        One that is not `inside` the stretch only shows where those within go on.
        """
        self._file.execute(_NUMBER, (run, sequence, frame_id, inside))
        holder, was_inside = self._file.execute(_HOLDER, (run, sequence)).fetchone()
        if holder != frame_id and (inside or was_inside):
            self._file.executemany("INSERT OR IGNORE INTO doubled VALUES (?)", [(holder,), (frame_id,)])

    def put_last(self, run: str, last: int) -> None:
        """Keep the last number that a camera told to have given."""
        self._file.execute(_LAST, (run, last))

    def put_mark(self, run: str, last: int) -> None:
        """Keep the last number of a run that is known to be whole; -1 for a run of which everything is put."""
        self._file.execute("INSERT OR IGNORE INTO marks VALUES (?, ?)", (run, last))

    def visits(self) -> Iterator[tuple[str, list[Message], list[Written]]]:
        """Every visit with its messages and where each lies, in order of the visits' names."""
        self._write()
        rows = self._file.execute(_SORTED)
        for visit, group in groupby(rows, key=lambda row: str(row[0])):
            told = list(group)
            messages = [MESSAGE_TYPES[kind].from_json(body) for _, kind, body, *_ in told]
            yield visit, messages, [Written(*where) for _, _, _, *where in told]

    def messages_of(self, visit_id: str) -> list[Message]:
        """Messages of one visit; the name is empty for those that name none."""
        self._write()
        rows = self._file.execute("SELECT type, body FROM messages WHERE visit = ? ORDER BY place", (visit_id,))
        return [MESSAGE_TYPES[kind].from_json(body) for kind, body in rows]

    def gaps(self) -> Iterator[str]:
        """Numbers without capture before one inside, or up to the last told one: `<run>.seq<first>-<last>`."""
        for run, first, last in self._file.execute(_GAPS):
            yield f"{run}.seq{first}-{last}"

    def doubled(self) -> Iterator[str]:
        """Frames that share a number of their camera with another frame, one of them inside."""
        for (frame,) in self._file.execute("SELECT frame FROM doubled ORDER BY frame"):
            yield str(frame)

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
