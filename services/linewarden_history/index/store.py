"""The index as one SQLite file: what was read and how far it was read change together, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from linewarden_history.errors import IndexUnusable
from linewarden_history.index import schema
from linewarden_runtime.records import Position

from .facts import Statement


@dataclass(frozen=True, slots=True)
class Place:
    """How far a partition was read. `taken_away`: records that retention deleted before they were read."""

    topic: str
    partition: int
    topic_id: str
    next_offset: int
    taken_away: int
    unreadable: int


class StoryIndex:
    """One namespace's visits; belongs to one thread, other processes may hold the same file.

    What retention takes away from the topics stays here. A file of another namespace, of another version or of topics
    that were made anew is refused: it is never emptied by itself.

    Raises:
        IndexUnusable: for such a file, or one that is none of ours.
    """

    def __init__(self, path: Path | None, namespace: str) -> None:
        self._path = path
        self._db = _opened(path, namespace)

    def places(self) -> list[Place]:
        """How far each partition was read."""
        wanted = "topic, partition, topic_id, next_offset, taken_away, unreadable"
        return [Place(*row) for row in self._db.execute(f"SELECT {wanted} FROM places ORDER BY 1, 2")]  # noqa: S608 - fixed words

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
            self._keep_place(position, topic_id, wanted[position], gone)
        return wanted

    def take(
        self, statements: Iterable[Statement], places: Mapping[Position, int], unreadable: Mapping[Position, int]
    ) -> None:
        """Take in facts, and with them the next offset of each partition; taking them twice changes nothing."""
        with self._change():
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
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep_place(self, position: Position, topic_id: str, offset: int, gone: int) -> None:
        with self._change():
            self._db.execute(
                "INSERT INTO places (topic, partition, topic_id, next_offset) "
                "VALUES (:topic, :partition, :id, :offset) "
                "ON CONFLICT (topic, partition) DO UPDATE SET next_offset = :offset, taken_away = taken_away + :gone",
                {
                    "topic": position.topic,
                    "partition": position.partition,
                    "id": topic_id,
                    "offset": offset,
                    "gone": gone,
                },
            )

    @contextmanager
    def _change(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


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
    db.execute("BEGIN IMMEDIATE")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version not in {*schema.LACKS, schema.VERSION}:
        db.execute("ROLLBACK")
        raise sqlite3.DatabaseError(f"it is of version {version}, this linewarden writes {schema.VERSION}")
    for statement in schema.LACKS.get(version, "").split(";"):
        db.execute(statement)
    if version == 0:
        db.execute("INSERT INTO about VALUES ('namespace', ?)", (namespace,))
    db.execute(f"PRAGMA user_version={schema.VERSION}")
    db.execute("COMMIT")
