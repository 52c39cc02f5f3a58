"""The station's own book: one SQLite file that outlives restarts, shared with `linewarden users`.

    accounts    people with password, role and skills      links     one-time links, as digests
    sessions    who is signed in, as digests               audit     every act; rows are only ever added
    drafts      thresholds that wait for a second person   bin_counts  parts counted by hand against the queue
    pseudonyms  whose name stands behind what the topics hold

It knows nothing of parts: what was decided lies in Kafka, and losing this file loses no decision.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linewarden_runtime.errors import ConfigurationError

_STEPS = (
    """
CREATE TABLE accounts (
  name TEXT PRIMARY KEY COLLATE NOCASE, role TEXT NOT NULL, password_hash TEXT NOT NULL,
  disabled INTEGER NOT NULL DEFAULT 0, made_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL);
CREATE TABLE links (
  digest TEXT PRIMARY KEY, kind TEXT NOT NULL, roles TEXT NOT NULL, uses_left INTEGER NOT NULL,
  until_ms INTEGER NOT NULL);
CREATE TABLE sessions (
  digest TEXT PRIMARY KEY, actor TEXT NOT NULL COLLATE NOCASE, role TEXT NOT NULL, how TEXT NOT NULL,
  began_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL,
  act TEXT NOT NULL, object TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, address TEXT NOT NULL);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TABLE drafts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, line_id TEXT NOT NULL, recipe_id TEXT NOT NULL, version INTEGER NOT NULL,
  suspicion REAL NOT NULL, figures TEXT NOT NULL, author TEXT NOT NULL, made_ms INTEGER NOT NULL,
  state TEXT NOT NULL, judged_by TEXT, reason TEXT, judged_ms INTEGER, became INTEGER);
CREATE TABLE bin_counts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, line_id TEXT NOT NULL, shift TEXT NOT NULL,
  counted INTEGER NOT NULL, queued INTEGER NOT NULL, actor TEXT NOT NULL);
""",
    "ALTER TABLE accounts ADD COLUMN skills TEXT NOT NULL DEFAULT '';",
    """
CREATE TABLE pseudonyms (name TEXT PRIMARY KEY COLLATE NOCASE, pseudonym TEXT NOT NULL UNIQUE);
DELETE FROM sessions WHERE how != 'link';
""",
    "ALTER TABLE drafts ADD COLUMN recipe_digest TEXT;",
)
"""From each version to the next; a book of an older version takes the steps that it lacks."""


class StationBook:
    """One connection for all threads of a process; other processes may hold the same file.

    Raises:
        ConfigurationError: where the folder cannot be written, or the file is of a newer version.
    """

    def __init__(self, folder: Path | None = None, file: str = "station.sqlite", steps: Sequence[str] = _STEPS) -> None:
        self._lock = threading.RLock()
        path = ":memory:" if folder is None else str(folder / file)
        try:
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                (folder / file).touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten
            connection.execute("BEGIN IMMEDIATE")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            connection.execute("COMMIT")
            if version > len(steps):
                connection.close()
                raise ConfigurationError(
                    f"the station's book is of version {version}; this linewarden knows {len(steps)}"
                )
            for number, step in enumerate(steps[version:], start=version + 1):
                connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version={number}; COMMIT;")
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"the station's book {path} cannot be opened ({error}); "
                "set LINEWARDEN_STATION__DATA to a folder of its own"
            ) from error
        self._connection = connection

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:  # noqa: ANN401 - whatever SQLite stores
        """All rows of a question."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:  # noqa: ANN401 - the same
        """The first row of a question; None where there is none."""
        return next(iter(self.rows(sql, *values)), None)

    def write(self, sql: str, *values: Any) -> int:  # noqa: ANN401 - the same
        """One change, on disk when this returns; how many rows it touched."""
        with self.change() as connection:
            return connection.execute(sql, values).rowcount

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Several changes, all or none, on disk when this returns; nobody else changes anything meanwhile.

        Raises:
            sqlite3.Error: where it cannot be written, e.g. on a full disk; nothing was changed then.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite ends one itself where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    def settle(self) -> None:
        """Write the log ahead into the file and empty it, so that nothing that was deleted stays in it."""
        with self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file once no other thread is at work on it."""
        with self._lock:
            self._connection.close()
