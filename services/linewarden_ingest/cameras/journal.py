"""What a camera took, by keys of its own, in a file beside its spool: nothing is taken twice, over any death."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass

from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.spool.faults import SpoolBroken, SpoolFull
from linewarden_runtime.files import sync_folder
from linewarden_schemas.vocabulary import Loss

_SCHEMA = """
CREATE TABLE IF NOT EXISTS taken (
    key TEXT PRIMARY KEY, shot INTEGER NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL,
    lost TEXT, at_ms INTEGER NOT NULL, is_safe INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS taken_at ON taken (at_ms);
CREATE INDEX IF NOT EXISTS taken_shot ON taken (is_safe, shot);
"""
_FIND = "SELECT key, shot, digest, name, note, lost, at_ms FROM taken WHERE key = ?"
_ALL = "SELECT key, shot, digest, name, note, lost, at_ms FROM taken ORDER BY at_ms"
_DIGEST = "SELECT digest FROM taken WHERE is_safe AND shot = ? AND name = ? ORDER BY at_ms DESC"
_GIVE = "INSERT OR REPLACE INTO taken (key, shot, digest, name, note, lost, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class TakenShot:
    """One entry. `shot` is its index, `digest` of its content, `name` and `note` are the camera's own.

    `lost` is the loss of its capture, where that has no picture.
    """

    key: str
    shot: int
    digest: str
    name: str
    note: str
    lost: str | None
    at_ms: int


class TakenJournal:
    """One run's view of the file; safe on several threads.

    An entry is written before the shot's record. Which of them a death left without a record shows when the next
    process opens the file: the run's `first` says which shots are safe.

    Raises:
        SpoolBroken: where the file cannot be read or made, here and in each call.
    """

    def __init__(self, run: CameraRun) -> None:
        if run.folder is None:
            raise ValueError("the run names no folder to keep a journal in")
        self._path = run.folder / "taken.sqlite"
        self._lock = threading.Lock()
        self._safe: list[tuple[int]] = []
        with self._told():
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            # One fsync an entry; the folder is this camera's alone, as the spool is.
            self._db.executescript(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA
            )
            self._settle(run)
            sync_folder(run.folder)

    def _settle(self, run: CameraRun) -> None:
        """Decide what the process before left open."""
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM taken WHERE NOT is_safe AND shot >= ?", (run.first,))
        if run.torn is not None:
            lost = (Loss.SPOOL_CORRUPT.value, run.torn)
            self._db.execute("UPDATE taken SET lost = ? WHERE NOT is_safe AND shot = ?", lost)
        self._db.execute("UPDATE taken SET is_safe = 1 WHERE NOT is_safe")
        self._db.execute("COMMIT")

    def find(self, key: str) -> TakenShot | None:
        """The entry of a key, whether its shot is safe or on its way."""
        with self._told():
            row = self._db.execute(_FIND, (key,)).fetchone()
        return row and TakenShot(*row)

    def all(self) -> Iterator[TakenShot]:
        """Every entry, in the order of their times."""
        with self._told():
            rows = self._db.execute(_ALL).fetchall()
        return (TakenShot(*row) for row in rows)

    def digest_of(self, shot: int, name: str) -> str | None:
        """What was taken as this shot of a file of this name, None where that is not known any more."""
        with self._told():
            row = self._db.execute(_DIGEST, (shot, name)).fetchone()
        return row and str(row[0])

    def give(self, taken: TakenShot) -> None:
        """Write an entry, durably, in the place of one with its key.

        Raises:
            SpoolFull: where the disk has no room; nothing was written.
        """
        with self._writing():
            self._db.execute(_GIVE, astuple(taken))

    def safe(self, shot: int) -> None:
        """The shot lies in the spool. Written with the next change: until then the next run's `first` tells it."""
        with self._lock:
            self._safe.append((shot,))

    def forget(self, before_ms: int, but: Container[str] = ()) -> None:
        """Let entries go that were written before a time (epoch ms), except those of some names."""
        with self._writing():
            rows = self._db.execute("SELECT key, name FROM taken WHERE at_ms < ? AND is_safe", (before_ms,)).fetchall()
            self._db.executemany("DELETE FROM taken WHERE key = ?", [(key,) for key, name in rows if name not in but])

    def close(self) -> None:
        """Write what is known to be safe, and close the file."""
        with self._writing():
            pass
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One durable change, with what became safe since the last."""
        with self._told():
            self._db.execute("BEGIN")
            try:
                self._db.executemany("UPDATE taken SET is_safe = 1 WHERE NOT is_safe AND shot = ?", self._safe)
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:  # a full disk ends some by itself
                    self._db.execute("ROLLBACK")
            self._safe.clear()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Hold the lock, and tell what SQLite raises as the spool would."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                told = f"{self._path}: {error}"
                if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    raise SpoolFull(told) from error
                raise SpoolBroken(
                    f"{told}; where the file is damaged, move it away: what was not put away yet is taken once more"
                ) from error
