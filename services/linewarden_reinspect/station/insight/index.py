"""An index of decisions, slots and queue events: a view of the topics, in a file beside the station's book.

State and offsets change together, and the identity of each topic is kept: a topic made anew is read anew. What
retention deleted before it was read is one row of its own, never a silent hole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from linewarden_reinspect.station.access.book import Book
from linewarden_runtime.records import Position

from .entries import Happened, Slot

_FILE = "history-1.sqlite"
_SCHEMA = """
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL, visit_id TEXT NOT NULL,
  slot_id TEXT NOT NULL, decision_id TEXT NOT NULL, judgement TEXT NOT NULL, first_judgement TEXT NOT NULL,
  undoes TEXT NOT NULL, detail TEXT NOT NULL, UNIQUE (topic, partition, offset));
CREATE INDEX events_at ON events (at_ms, id);
CREATE INDEX events_visit ON events (visit_id);
CREATE INDEX events_slot ON events (slot_id, kind);
CREATE INDEX events_undoes ON events (undoes) WHERE undoes <> '';
CREATE TABLE slots (
  slot_id TEXT PRIMARY KEY, visit_id TEXT NOT NULL, line_id TEXT NOT NULL, part_id TEXT NOT NULL,
  review_round INTEGER NOT NULL, generation INTEGER NOT NULL, causes TEXT NOT NULL, opened_ms INTEGER NOT NULL);
CREATE INDEX slots_part ON slots (part_id);
CREATE INDEX slots_visit ON slots (visit_id);
CREATE TABLE places (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, topic_id TEXT NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (topic, partition));
"""
_EVENT = (
    "topic, partition, offset, at_ms, kind, actor, role, visit_id, slot_id, decision_id, judgement, first_judgement, "
    "undoes, detail"
)


class HistoryIndex:
    """Everything that was read so far; used from many threads."""

    def __init__(self, folder: Path | None = None) -> None:
        self._book = Book(folder, _FILE, (_SCHEMA,))

    def start(self, topic: str, topic_id: str, beginnings: Mapping[Position, int]) -> dict[Position, int]:
        """Where to read a topic on; what is known of an earlier topic of the name is forgotten."""
        known = {row["partition"]: row for row in self._book.rows("SELECT * FROM places WHERE topic = ?", topic)}
        if any(row["topic_id"] != topic_id for row in known.values()):
            self._forget(topic)
            known = {}
        wanted = {}
        for position, beginning in beginnings.items():
            row = known.get(position.partition)
            wanted[position] = beginning if row is None else max(beginning, row["next_offset"])
            if row is not None and beginning > row["next_offset"]:
                self._tell_gap(position, row["next_offset"], beginning)
        return wanted

    def take(
        self, topic_ids: Mapping[str, str], places: Mapping[Position, int], found: Iterable[Happened | Slot]
    ) -> None:
        """Take in what was found, and with it the next offsets of the partitions; what is known stays as it is."""
        with self._book.change() as book:
            for one in found:
                if isinstance(one, Slot):
                    _keep_slot(book, one)
                else:
                    _keep_event(book, one)
            for position, offset in places.items():
                row = (position.topic, position.partition, topic_ids[position.topic], offset)
                book.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", row)

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Rows of a question to `events` and `slots`."""
        return self._book.rows(sql, *values)

    def close(self) -> None:
        """Close the index's file; what it has taken in is kept for the next start."""
        self._book.close()

    def _forget(self, topic: str) -> None:
        with self._book.change() as book:
            book.execute("DELETE FROM events WHERE topic = ?", (topic,))
            book.execute("DELETE FROM places WHERE topic = ?", (topic,))

    def _tell_gap(self, position: Position, wanted: int, beginning: int) -> None:
        detail = f"{beginning - wanted} records of {position.topic} were deleted before they were read"
        gap = Happened(position.topic, position.partition, wanted, 0, "gap", detail=detail)
        with self._book.change() as book:
            _keep_event(book, gap)


def _keep_slot(book: sqlite3.Connection, slot: Slot) -> None:
    row = (slot.slot_id, slot.visit_id, slot.line_id, slot.part_id, slot.review_round, slot.generation)
    book.execute("INSERT OR REPLACE INTO slots VALUES (?,?,?,?,?,?,?,?)", (*row, slot.causes, slot.opened_ms))


def _keep_event(book: sqlite3.Connection, one: Happened) -> None:
    row = (one.topic, one.partition, one.offset, one.at_ms, one.kind, one.actor, one.role, one.visit_id, one.slot_id)
    more = (one.decision_id, one.judgement, one.first_judgement, one.undoes, one.detail)
    marks = ",".join("?" * 14)
    book.execute(f"INSERT OR IGNORE INTO events ({_EVENT}) VALUES ({marks})", (*row, *more))  # noqa: S608 - fixed words
