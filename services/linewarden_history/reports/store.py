"""Messages of a stretch of the topics, sorted by visit on disk: memory does not grow with the stretch."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path

from linewarden_history.reading import WrittenAt
from linewarden_history.selection import Selection
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.operations import Balance
from linewarden_schemas.registry import MESSAGE_TYPES


class VisitStore(AbstractContextManager["VisitStore"]):
    """A temporary SQLite file in the folder for such files (TMPDIR); belongs to one thread and ends with its block."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="linewarden-report-")
        self._file = sqlite3.connect(Path(self._folder.name) / "shelf.sqlite")
        for line in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA temp_store = FILE",
            "PRAGMA cache_size = -8192",  # KiB
            "CREATE TABLE messages (place INTEGER PRIMARY KEY, visit TEXT, type TEXT, body BLOB, lies, at_ms, at)",
            "CREATE TABLE sequences (run TEXT, sequence INTEGER, frame TEXT, inside INT, PRIMARY KEY (run, sequence))",
            "CREATE TABLE marks (run TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID",
            "CREATE TABLE doubled (frame TEXT PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE ends (run TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID",
        ):
            self._file.execute(line)
        self._waiting: list[tuple[str, str, bytes, int, int | None, str]] = []

    def put(self, visit_id: str, message: Message, written: WrittenAt | None = None) -> None:
        """Keep one message of a visit; those of a visit come back in the order in which they were put."""
        at = written or WrittenAt()
        where = (at.offset, at.at_ms, at.place)
        self._waiting.append((visit_id, message.TYPE, message.to_json(), *where))
        if len(self._waiting) >= 512:
            self._write()

    def put_sequence(self, run: str, sequence: int, frame_id: str, *, inside: bool = True) -> None:
        """Keep a number that a camera gave; `run` names camera and spool epoch.

        One that is not `inside` the stretch only shows where those within go on.
        """
        self._file.execute("INSERT OR IGNORE INTO sequences VALUES (?, ?, ?, ?)", (run, sequence, frame_id, inside))
        known = "SELECT frame, inside FROM sequences WHERE run = ? AND sequence = ?"
        holder, was_inside = self._file.execute(known, (run, sequence)).fetchone()
        if holder != frame_id and (inside or was_inside):
            self._file.executemany("INSERT OR IGNORE INTO doubled VALUES (?)", [(holder,), (frame_id,)])

    def put_last(self, run: str, last: int) -> None:
        """Keep the last number that a camera told to have given."""
        keep = "INSERT INTO ends VALUES (?, ?) ON CONFLICT (run) DO UPDATE SET last = MAX(last, excluded.last)"
        self._file.execute(keep, (run, last))

    def put_mark(self, run: str, last: int) -> None:
        """Keep the last number of a run that is known to be whole; -1 for a run of which everything is put."""
        self._file.execute("INSERT OR IGNORE INTO marks VALUES (?, ?)", (run, last))

    def visits(self) -> Iterator[tuple[str, list[Message], list[WrittenAt]]]:
        """Every visit with its messages and where each lies, in order of the visits' names."""
        self._write()
        rows = self._file.execute("SELECT visit, type, body, lies, at_ms, at FROM messages ORDER BY visit, place")
        for visit, group in groupby(rows, key=lambda row: str(row[0])):
            told = list(group)
            messages = [MESSAGE_TYPES[kind].from_json(body) for _, kind, body, *_ in told]
            yield visit, messages, [WrittenAt(*where) for _, _, _, *where in told]

    def messages_of(self, visit_id: str) -> list[Message]:
        """Messages of one visit; the name is empty for those that name none."""
        self._write()
        rows = self._file.execute("SELECT type, body FROM messages WHERE visit = ? ORDER BY place", (visit_id,))
        return [MESSAGE_TYPES[kind].from_json(body) for kind, body in rows]

    def gaps(self) -> Iterator[str]:
        """Numbers without capture before one inside, or up to the last told one: `<run>.seq<first>-<last>`."""
        for run, first, last in self._file.execute("""
            WITH given AS (
              SELECT run, sequence, inside FROM sequences
              UNION ALL
              SELECT run, last + 1, 1 FROM ends WHERE run IN (SELECT run FROM sequences UNION SELECT run FROM marks)
              UNION ALL SELECT run, last, 0 FROM marks
            )
            SELECT run, before + 1, sequence - 1 FROM (
              SELECT run, sequence, inside, LAG(sequence) OVER (PARTITION BY run ORDER BY sequence) AS before FROM given
            ) WHERE inside AND sequence > before + 1 ORDER BY run, sequence
        """):
            yield f"{run}.seq{first}-{last}"

    def doubled(self) -> Iterator[str]:
        """Frames that share a number of their camera with another frame, one of them inside."""
        for (frame,) in self._file.execute("SELECT frame FROM doubled ORDER BY frame"):
            yield str(frame)

    def close(self) -> None:
        """Delete the file and the folder that it lies in."""
        self._file.close()
        self._folder.cleanup()

    def _write(self) -> None:
        insert = "INSERT INTO messages (visit, type, body, lies, at_ms, at) VALUES (?, ?, ?, ?, ?, ?)"
        self._file.executemany(insert, self._waiting)
        self._waiting.clear()

    def __exit__(self, *_: object) -> None:
        self.close()


class Numbering:
    """Puts the numbers of cameras into a store. `before` is the last period closed before the stretch, if there is one.

    With it a hole before a camera's first number in the stretch shows too, since captures are looked at from its end
    on; without it nobody knows which number came last before.
    """

    def __init__(self, stretch: Selection, store: VisitStore, before: Balance | None) -> None:
        self._stretch, self._store = stretch, store
        self._closed: dict[str, int] | None = None
        self.from_ms = stretch.from_ms if before is None else min(stretch.from_ms, before.to_ms)
        """Captures that were written from then on are wanted."""
        if before is not None:
            lasts = [one for one in before.cameras if stretch.line_id in {None, one.line_id}]
            self._closed = {
                _name(one.line_id, one.station_id, one.camera_id, one.spool_epoch): one.last_sequence for one in lasts
            }
            for run, last in self._closed.items():
                store.put_mark(run, last)

    def learn(self, message: Capture | CameraHeartbeat) -> None:
        """Hear a capture or heartbeat of whatever time."""
        run = _name(message.line_id, message.station_id, message.camera_id, message.spool_epoch)
        if isinstance(message, CameraHeartbeat):
            if self._stretch.holds(message.line_id, message.at_ms):
                self._store.put_last(run, message.last_sequence)
        elif self._stretch.holds(message.line_id, message.captured_ms):
            self._follow_on(run)
            self._store.put_sequence(run, message.sequence, message.frame_id)
        elif self._is_between(run, message):
            self._store.put_sequence(run, message.sequence, message.frame_id, inside=False)

    def _follow_on(self, run: str) -> None:
        if self._closed is not None and run not in self._closed:
            self._closed[run] = -1  # it began after the period: its numbers begin at 0
            self._store.put_mark(run, -1)

    def _is_between(self, run: str, capture: Capture) -> bool:
        """Whether it lies after the period and before the stretch."""
        if self._closed is None or capture.captured_ms >= self._stretch.from_ms:
            return False
        in_line = self._stretch.line_id in {None, capture.line_id}
        return in_line and capture.sequence > self._closed.get(run, -1)


def _name(line_id: str, station_id: str, camera_id: str, epoch: int) -> str:
    return f"{line_id}.{station_id}.{camera_id}.epoch{epoch}"
