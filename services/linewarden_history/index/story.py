"""The whole story of a part: every passage, and everything that happened to it, in order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from linewarden_history.escapes import let_go_by
from linewarden_history.index.store import StoryIndex
from linewarden_history.selection import Selection, where
from linewarden_schemas.escape import Escape

_FACTS = (
    "visit_id, line_id, station_id, part_id, lot_id, product_id, recipe, recipe_digest, captured_ms, mode, known_bad, "
    "returned_from, routing, causes, revision, outcome, final"
)


@dataclass(frozen=True, slots=True)
class Reported:
    """The newest record of an escape, where it lies, and the visit that it belongs to; withdrawn ones are among them.

    `visit_id` is None where no visit fits: the serial is unknown, or all its visits came after the finding.
    """

    escape: Escape
    visit_id: str | None
    partition: int
    offset: int

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, for `--json`."""
        return {"visit_id": self.visit_id} | self.escape.model_dump(mode="json", exclude={"visit_id"})

    def in_words(self) -> str:
        """Which escape it is of which part, on one line for people."""
        one = self.escape
        return f"{one.escape_id}: {one.part_id}, {one.defect_class}, found at {one.found_at}, by {one.reported_by}"


@dataclass(frozen=True, slots=True)
class StoryEntry:
    """One record about a visit, with what it said and where it lies. Maps and masks stay in their topic."""

    at_ms: int
    kind: str
    actor: str | None
    topic: str
    partition: int
    offset: int
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """One visit: its facts, its frames with their first answers, and its records in the order of their times."""

    facts: dict[str, Any]
    frames: tuple[dict[str, Any], ...]
    happened: tuple[StoryEntry, ...]

    @property
    def visit_id(self) -> str:
        """The id of the visit that this is the story of."""
        return str(self.facts["visit_id"])

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, for `--json`."""
        return asdict(self)


def stories(index: StoryIndex, name: str) -> list[Story]:
    """The visits of a part by its serial, or one visit with those it came back from and as; in order of capture."""
    by_part = index.rows(f"SELECT {_FACTS} FROM visits WHERE part_id = :name", {"name": name})  # noqa: S608 - fixed words
    found = list(by_part) or list(index.rows(_CHAIN, {"name": name}))
    rows = sorted(found, key=lambda row: (row["captured_ms"] or 0, row["visit_id"]))
    visits = [str(row["visit_id"]) for row in rows]
    reported = reports_about(index, {name, *(row["part_id"] for row in rows if row["part_id"])}, visits)
    return [_story(index, row, [one for one in reported if one.visit_id == row["visit_id"]]) for row in rows]


def reports_about(index: StoryIndex, parts: Collection[str], visits: Collection[str]) -> list[Reported]:
    """What was reported of these serials, or of these visits by name; in the order of the finding."""
    found: dict[str, Reported] = {}
    for column, names in (("part_id", parts), ("visit_id", visits)):
        for name in names:
            sql = f"SELECT partition, offset, told FROM escapes WHERE {column} = :name"  # noqa: S608 - fixed words
            found |= {one.escape.escape_id: one for one in _reported(index, sql, {"name": name})}
    return sorted(found.values(), key=lambda one: one.escape.found_ms)


def all_reports(index: StoryIndex) -> Iterator[Reported]:
    """Everything that was reported, withdrawn ones among it."""
    yield from _reported(index, "SELECT partition, offset, told FROM escapes ORDER BY offset", {})


def unmatched(index: StoryIndex, name: str) -> list[Reported]:
    """Escapes reported of a serial that belong to none of its visits."""
    return [one for one in reports_about(index, {name}, ()) if one.visit_id is None]


def selected(index: StoryIndex, selection: Selection, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Facts of the selected visits, in order of capture."""
    condition, values = where(selection)
    most = values | {"limit": -1 if limit is None else limit}
    sql = f"SELECT {_FACTS} FROM visits v WHERE {condition} ORDER BY captured_ms, visit_id LIMIT :limit"  # noqa: S608 - fixed words
    for row in index.rows(sql, most):
        yield dict(row)


def count(index: StoryIndex, selection: Selection) -> int:
    """How many visits are selected."""
    condition, values = where(selection)
    row = index.row(f"SELECT COUNT(*) AS n FROM visits v WHERE {condition}", values)  # noqa: S608 - fixed words
    return 0 if row is None else int(row["n"])


def is_selected(index: StoryIndex, selection: Selection, visit_id: str) -> bool:
    """Whether one visit is selected."""
    condition, values = where(selection)
    sql = f"SELECT 1 FROM visits v WHERE v.visit_id = :visit_id AND {condition}"  # noqa: S608 - fixed words
    return index.row(sql, values | {"visit_id": visit_id}) is not None


_CHAIN = f"""
WITH RECURSIVE before (id) AS (
  SELECT visit_id FROM visits WHERE visit_id = :name
  UNION SELECT v.returned_from FROM visits v JOIN before ON v.visit_id = before.id WHERE v.returned_from IS NOT NULL),
after (id) AS (
  SELECT visit_id FROM visits WHERE visit_id = :name
  UNION SELECT v.visit_id FROM visits v JOIN after ON v.returned_from = after.id)
SELECT {_FACTS} FROM visits WHERE visit_id IN (SELECT id FROM before UNION SELECT id FROM after)
"""  # noqa: S608 - fixed words


def _story(index: StoryIndex, facts: sqlite3.Row, reported: Collection[Reported]) -> Story:
    of_visit = {"visit_id": facts["visit_id"]}
    frames = index.rows("SELECT * FROM frames WHERE visit_id = :visit_id ORDER BY view_id, frame_id", of_visit)
    entries = index.rows(
        "SELECT at_ms, kind, actor, topic, partition, offset, told FROM entries WHERE visit_id = :visit_id "
        "ORDER BY at_ms, topic, offset",
        of_visit,
    )
    happened = [StoryEntry(**(dict(row) | {"told": json.loads(row["told"])})) for row in entries]
    happened += [
        StoryEntry(
            at_ms=one.escape.found_ms,
            kind="escape withdrawn" if one.escape.withdrawn else "escaped",
            actor=one.escape.reported_by,
            topic="escapes",
            partition=one.partition,
            offset=one.offset,
            told=one.escape.model_dump(mode="json", exclude_none=True),
        )
        for one in reported
    ]
    return Story(dict(facts), tuple(dict(row) for row in frames), tuple(sorted(happened, key=lambda one: one.at_ms)))


def _reported(index: StoryIndex, sql: str, values: dict[str, Any]) -> Iterator[Reported]:
    for row in list(index.rows(sql, values)):
        escape = Escape.from_json(str(row["told"]).encode())
        # visits of the part with their times; of a visit that the report names only that one, if anything knows it
        column, name = ("part_id", escape.part_id) if escape.visit_id is None else ("visit_id", escape.visit_id)
        visits = f"SELECT visit_id, captured_ms FROM visits WHERE {column} = :name AND captured_ms IS NOT NULL"  # noqa: S608 - fixed words
        captured = {str(one["visit_id"]): int(one["captured_ms"]) for one in index.rows(visits, {"name": name})}
        yield Reported(escape, let_go_by(escape, captured), row["partition"], row["offset"])
