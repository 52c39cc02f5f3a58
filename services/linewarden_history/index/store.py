"""The index as one SQLite file: what was read and how far it was read change together, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linewarden_history.index.facts import Statement
from linewarden_runtime.errors import Fatal
from linewarden_runtime.records import Position

VERSION = 3
"""Of the tables: whoever changes them raises it, and a file of another version is refused."""
_ESCAPES = """
CREATE TABLE escapes (
  escape_id TEXT PRIMARY KEY, part_id TEXT NOT NULL, visit_id TEXT, withdrawn INTEGER NOT NULL,
  partition INTEGER NOT NULL, offset INTEGER NOT NULL, told TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX escapes_part ON escapes (part_id);
CREATE INDEX escapes_visit ON escapes (visit_id) WHERE visit_id IS NOT NULL;
"""
_DIGEST = "ALTER TABLE visits ADD COLUMN recipe_digest TEXT;"
_SCHEMA = f"""
CREATE TABLE visits (
  visit_id TEXT PRIMARY KEY, line_id TEXT, station_id TEXT, part_id TEXT, lot_id TEXT, product_id TEXT, recipe TEXT,
  recipe_id TEXT, captured_ms INTEGER, mode TEXT, known_bad INTEGER, returned_from TEXT, simulated INTEGER,
  routing TEXT, causes TEXT, revision INTEGER, latest_routing TEXT, outcome TEXT, final INTEGER) WITHOUT ROWID;
CREATE INDEX visits_part ON visits (part_id) WHERE part_id IS NOT NULL;
CREATE INDEX visits_lot ON visits (lot_id) WHERE lot_id IS NOT NULL;
CREATE INDEX visits_captured ON visits (captured_ms);
CREATE INDEX visits_returned ON visits (returned_from) WHERE returned_from IS NOT NULL;
CREATE TABLE frames (
  visit_id TEXT NOT NULL, frame_id TEXT NOT NULL, view_id TEXT, camera_id TEXT, lost TEXT, sha256 TEXT, verdict TEXT,
  undecidable TEXT, doubtful INTEGER, p_defect REAL, suspicion REAL, bundle TEXT, device TEXT, code TEXT, maps TEXT,
  partition INTEGER, offset INTEGER, PRIMARY KEY (visit_id, frame_id)) WITHOUT ROWID;
CREATE TABLE entries (
  visit_id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT, told TEXT NOT NULL,
  PRIMARY KEY (visit_id, topic, partition, offset)) WITHOUT ROWID;
CREATE INDEX entries_actor ON entries (actor) WHERE actor IS NOT NULL;
CREATE TABLE places (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, topic_id TEXT NOT NULL, next_offset INTEGER NOT NULL,
  taken_away INTEGER NOT NULL DEFAULT 0, unreadable INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (topic, partition));
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
{_ESCAPES}{_DIGEST}"""
_LACKS = {0: _SCHEMA, 1: _ESCAPES + _DIGEST, 2: _DIGEST}
"""What a file of an older version, or a new one (0), lacks."""


class IndexUnusable(Fatal):
    """The index cannot be used as it is; the message says what to do."""

    exit_code = 78


@dataclass(frozen=True, slots=True)
class IndexedPartition:
    """How far a partition was read. `taken_away`: records that retention deleted before they were read."""

    topic: str
    partition: int
    topic_id: str
    next_offset: int
    taken_away: int
    unreadable: int


class StoryIndex(AbstractContextManager["StoryIndex"]):
    """One namespace's visits; belongs to one thread, other processes may hold the same file.

    What retention takes away from the topics stays here. A file of another namespace, of another version or of topics
    that were made anew is refused: it is never emptied by itself.

    Raises:
        IndexUnusable: for such a file, or one that is none of ours.
    """

    def __init__(self, path: Path | None, namespace: str) -> None:
        self._path = path
        self._db = _opened(path, namespace)

    def places(self) -> list[IndexedPartition]:
        """How far each partition was read."""
        wanted = "topic, partition, topic_id, next_offset, taken_away, unreadable"
        return [IndexedPartition(*row) for row in self._db.execute(f"SELECT {wanted} FROM places ORDER BY 1, 2")]  # noqa: S608 - fixed words

    def start(
        self, topic: str, topic_id: str, beginnings: Mapping[Position, int], fresh: Mapping[Position, int]
    ) -> dict[Position, int]:
        """Where to read a topic on: where it stopped, or at `fresh` the first time.

        Raises:
            IndexUnusable: where the topic was made anew since.
        """
        known = {place.partition: place for place in self.places() if place.topic == topic}
        if any(place.topic_id != topic_id for place in known.values()):
            raise IndexUnusable(
                f"{topic} was made anew since {self._path} was built; move the file away (it may hold what no topic "
                "holds any more) or name another one with --index"
            )
        wanted = {}
        for position, beginning in beginnings.items():
            place = known.get(position.partition)
            gone = 0 if place is None else max(0, beginning - place.next_offset)
            wanted[position] = fresh[position] if place is None else max(beginning, place.next_offset)
            self._db.execute(
                "INSERT INTO places (topic, partition, topic_id, next_offset) VALUES (?, ?, ?, ?) ON CONFLICT "
                "(topic, partition) DO UPDATE SET next_offset = excluded.next_offset, taken_away = taken_away + ?",
                (position.topic, position.partition, topic_id, wanted[position], gone),
            )
        return wanted

    def take(
        self, statements: Iterable[Statement], places: Mapping[Position, int], unreadable: Mapping[Position, int]
    ) -> None:
        """Take in facts, and with them the next offset of each partition; taking them twice changes nothing."""
        with self._db:  # commits, or rolls back where anything fails
            self._db.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                self._db.execute(sql, values)
            for position, offset in places.items():
                self._db.execute(
                    "UPDATE places SET next_offset = MAX(next_offset, ?), unreadable = unreadable + ? "
                    "WHERE topic = ? AND partition = ?",
                    (offset, unreadable.get(position, 0), position.topic, position.partition),
                )

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> Iterator[sqlite3.Row]:
        """Rows of a question, one after the other."""
        yield from self._db.execute(sql, values or {})

    def row(self, sql: str, values: Mapping[str, Any]) -> sqlite3.Row | None:
        """The first row of a question; None where there is none."""
        return next(iter(self.rows(sql, values)), None)

    def close(self) -> None:
        """Close the file; nothing can be asked of it any more."""
        self._db.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def _opened(path: Path | None, namespace: str) -> sqlite3.Connection:
    if path is not None and path.parent.is_dir() and not path.exists():
        path.touch(mode=0o600)  # it names people
    try:
        db = sqlite3.connect(":memory:" if path is None else path, timeout=30.0, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")  # a commit that a fallen machine forgets is read again from the topics
        db.execute("PRAGMA cache_size=-65536")
        _prepare(db, namespace)
        about = dict(db.execute("SELECT name, value FROM about").fetchall())
    except sqlite3.Error as error:
        raise IndexUnusable(f"the index {path} cannot be opened: {error}; name another file with --index") from error
    if about["namespace"] != namespace:
        db.close()
        raise IndexUnusable(
            f"the index {path} is of {about['namespace']}, not of {namespace}; name another with --index"
        )
    return db


def _prepare(db: sqlite3.Connection, namespace: str) -> None:
    with db:  # commits, or rolls back where anything fails
        db.execute("BEGIN IMMEDIATE")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version not in {*_LACKS, VERSION}:
            raise sqlite3.DatabaseError(f"it is of version {version}, this linewarden writes {VERSION}")
        for statement in _LACKS.get(version, "").split(";"):
            db.execute(statement)
        if version == 0:
            db.execute("INSERT INTO about VALUES ('namespace', ?)", (namespace,))
        db.execute(f"PRAGMA user_version={VERSION}")
