"""An index of decisions, slots, queue events and outcomes: a view of the topics, in a file beside the station's book.

State and offsets change together, and the identity of each topic is kept: a topic made anew is read anew. What
retention deleted before it was read is one row of its own, never a silent hole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from linewarden_reinspect.station.access.book import StationBook
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision, QueueEvent
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen

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


_OUTCOMES = """
CREATE TABLE outcomes (visit_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, final INTEGER NOT NULL);
"""
"""Of visits that were withheld at any time; one that passed or was rejected for good at once has no row."""


_BEYOND = 1 << 60
_OPEN = (
    "SELECT 1 FROM slots o WHERE NOT EXISTS (SELECT 1 FROM events c WHERE c.slot_id = o.slot_id AND c.kind = 'closed')"
)
_UNSETTLED = "SELECT 1 FROM outcomes u WHERE NOT u.final"
_SETTLED = "SELECT 1 FROM outcomes f WHERE f.final"


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """A filter; empty words and zero times do not bind. Times are epoch ms, `part` is a serial or a visit's id.

    `settled_only` leaves out visits with an open slot, or to which one may come: whose newest disposition is not
    known, or not final. Whoever may review them must not read of them before.
    """

    part: str = ""
    settled_only: bool = False
    slot: str = ""
    actor: str = ""
    kind: str = ""
    from_ms: int = 0
    to_ms: int = _BEYOND


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """Something that happened to a slot, and where its record lies. Times are epoch ms."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    kind: str
    actor: str = ""
    role: str = ""
    visit_id: str = ""
    slot_id: str = ""
    decision_id: str = ""
    judgement: str = ""
    first_judgement: str = ""
    undoes: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """What was known of a slot when it was opened, or opened anew with more frames."""

    slot_id: str
    visit_id: str
    line_id: str
    part_id: str
    review_round: int
    generation: int
    causes: str
    opened_ms: int


@dataclass(frozen=True, slots=True)
class Revised:
    """How a revision left a visit."""

    visit_id: str
    revision: int
    final: bool


IndexEntry = HistoryEvent | Slot | Revised


class HistoryIndex:
    """Everything that was read so far; used from many threads."""

    def __init__(self, folder: Path | None = None) -> None:
        self._book = StationBook(folder, "history-1.sqlite", (_SCHEMA, _OUTCOMES))

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

    def take(self, topic_ids: Mapping[str, str], places: Mapping[Position, int], found: Iterable[IndexEntry]) -> None:
        """Take in what was found, and with it the next offsets of the partitions; what is known stays as it is."""
        with self._book.change() as book:
            for one in found:
                _keep(book, one)
            for position, offset in places.items():
                row = (position.topic, position.partition, topic_ids[position.topic], offset)
                book.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", row)

    def page(self, wanted: HistoryFilter, before: tuple[int, int] | None, limit: int) -> list[dict[str, Any]]:
        """The newest events that fit, those before a place (`at_ms`, `id`) where one is given."""
        at_ms, last_id = before or (_BEYOND, _BEYOND)
        rows = self._book.rows(
            "SELECT e.id, e.at_ms, e.kind, e.actor, e.role, e.visit_id, e.slot_id, e.decision_id, e.judgement, "  # noqa: S608 - fixed words
            "e.first_judgement, e.undoes, e.detail, "
            "COALESCE(s.part_id, '') AS part_id, COALESCE(s.line_id, '') AS line_id "
            "FROM events e LEFT JOIN slots s ON s.slot_id = e.slot_id "
            "WHERE (e.at_ms, e.id) < (?, ?) AND e.at_ms BETWEEN ? AND ? "
            "AND (? = '' OR s.part_id = ? OR e.visit_id = ?) AND (? = '' OR e.slot_id = ?) "
            "AND (? = '' OR e.actor = ? COLLATE NOCASE) AND (? = '' OR e.kind = ?) "
            f"AND (NOT ? OR e.visit_id = '' OR (EXISTS ({_SETTLED} AND f.visit_id = e.visit_id) "
            f"AND NOT EXISTS ({_OPEN} AND o.visit_id = e.visit_id))) "
            "ORDER BY e.at_ms DESC, e.id DESC LIMIT ?",
            *(at_ms, last_id, wanted.from_ms, wanted.to_ms),
            *(wanted.part, wanted.part, wanted.part, wanted.slot, wanted.slot),
            *(wanted.actor, wanted.actor, wanted.kind, wanted.kind, wanted.settled_only, limit),
        )
        return [{name: row[name] for name in row.keys()} for row in rows]  # noqa: SIM118 - a Row is no dict

    def is_open(self, visit_id: str) -> bool:
        """Whether somebody is to judge this visit still, or may come to judge it again."""
        unsettled = f"{_OPEN} AND o.visit_id = ? UNION ALL {_UNSETTLED} AND u.visit_id = ?"
        return bool(self._book.rows(unsettled, visit_id, visit_id))

    def is_settled(self, visit_id: str, slot_id: str) -> bool:
        """Whether this slot was closed and nobody is to judge its visit any more, as far as the topics were read."""
        closed = self._book.rows("SELECT 1 FROM events WHERE slot_id = ? AND kind = 'closed'", slot_id)
        return bool(closed) and not self.is_open(visit_id)

    def kinds(self) -> list[str]:
        """Every kind of event there is."""
        return [row["kind"] for row in self._book.rows("SELECT DISTINCT kind FROM events ORDER BY kind")]

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
        gap = HistoryEvent(position.topic, position.partition, wanted, 0, "gap", detail=detail)
        with self._book.change() as book:
            _keep(book, gap)


def _keep(book: sqlite3.Connection, one: IndexEntry) -> None:
    """A row's columns are the fields in their order, but for an event's own number."""
    values = astuple(one)
    if isinstance(one, Revised):
        sql = (
            "INSERT INTO outcomes VALUES (?, ?, ?) ON CONFLICT (visit_id) DO UPDATE "
            "SET revision = excluded.revision, final = excluded.final WHERE excluded.revision > revision"
        )
        book.execute(sql, values)
        return
    marks = ",".join("?" * len(values))
    if isinstance(one, Slot):
        book.execute(f"INSERT OR REPLACE INTO slots VALUES ({marks})", values)  # noqa: S608 - fixed words
    else:
        book.execute(f"INSERT OR IGNORE INTO events VALUES (NULL,{marks})", values)  # noqa: S608 - fixed words


def entries_of(record: InRecord, message: Message) -> list[IndexEntry]:
    """What a record adds to the history; nothing for a message of another kind."""
    place = record.topic, record.partition, record.offset
    match message:
        case SlotOpen(slot_id=slot, visit_id=visit, opened_ms=at_ms):
            causes = [cause.value for cause in message.causes]
            detail = f"for {message.skill.value}: {', '.join(causes)}"
            known = (slot, visit, message.line_id, message.part_id or "", message.round, message.generation)
            event = HistoryEvent(*place, at_ms, "opened", "route", "", visit, slot, detail=detail)
            return [Slot(*known, " ".join(causes), at_ms), event]
        case SlotClose(slot_id=slot, visit_id=visit, closed_ms=at_ms):
            detail = ": ".join(part for part in (message.reason.value, message.detail) if part)
            return [HistoryEvent(*place, at_ms, "closed", "route", "", visit, slot, detail=detail)]
        case QueueEvent(slot_id=slot, visit_id=visit, at_ms=at_ms, cause=cause):
            who = (message.event, message.actor, "")
            return [HistoryEvent(*place, at_ms, *who, visit, slot, detail=cause or "")]
        case Decision():
            return [_decided(record, message)]
        case Disposition(visit_id=visit, revision=revision, final=final):
            return [Revised(visit, revision, final)] if revision > 0 or not final else []
        case _:
            return []


def _decided(record: InRecord, decision: Decision) -> HistoryEvent:
    facts = {
        "outcome": decision.outcome,
        "concession": decision.concession,
        "class": decision.defect_class,
        "unsure because": decision.unsure_because,
        "handed to": decision.hand_to,
        "pictures shown": len(decision.shown) or None,
        "comment": decision.comment,
    }
    return HistoryEvent(
        record.topic,
        record.partition,
        record.offset,
        decision.decided_ms,
        decision.act.value,
        decision.actor,
        decision.role.value,
        decision.visit_id,
        decision.slot_id,
        decision.decision_id,
        "" if decision.judgement is None else decision.judgement.value,
        "" if decision.first_judgement is None else decision.first_judgement.value,
        decision.undoes or "",
        "; ".join(f"{name} {value}" for name, value in facts.items() if value is not None),
    )
