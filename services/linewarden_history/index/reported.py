"""Escapes in the index, each with the visit that let the part go as far as the index knows it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from linewarden_history.escapes.matching import let_go_by
from linewarden_schemas.escape import Escape

from .store import StoryIndex


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
        """For `--json`."""
        return {"visit_id": self.visit_id} | self.escape.model_dump(mode="json", exclude={"visit_id"})

    def in_words(self) -> str:
        """One line for people."""
        one = self.escape
        return f"{one.escape_id}: {one.part_id}, {one.defect_class}, found at {one.found_at}, by {one.reported_by}"


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


def _reported(index: StoryIndex, sql: str, values: dict[str, Any]) -> Iterator[Reported]:
    for row in list(index.rows(sql, values)):
        escape = Escape.from_json(str(row["told"]).encode())
        yield Reported(escape, let_go_by(escape, _captured(index, escape)), row["partition"], row["offset"])


def _captured(index: StoryIndex, escape: Escape) -> dict[str, int]:
    """Visits of the part with their times; of a visit named by the report only that one, if anything knows it."""
    column, name = ("part_id", escape.part_id) if escape.visit_id is None else ("visit_id", escape.visit_id)
    sql = f"SELECT visit_id, captured_ms FROM visits WHERE {column} = :name AND captured_ms IS NOT NULL"  # noqa: S608 - fixed words
    return {str(row["visit_id"]): int(row["captured_ms"]) for row in index.rows(sql, {"name": name})}
