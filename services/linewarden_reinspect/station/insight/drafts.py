"""Drafts of thresholds: one person saves, another approves or refuses with a reason; each is judged once."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.errors import BadInput, Conflict, Forbidden
from linewarden_runtime.clock import Clock
from linewarden_schemas.line import RecipeRef

WAITING, APPROVED, REFUSED = "waiting", "approved", "refused"


@dataclass(frozen=True, slots=True)
class Draft:
    """A wanted threshold for a line's recipe, with the figures that its author saw. Times are epoch ms."""

    id: int
    line_id: str
    recipe: RecipeRef
    suspicion: float
    figures: dict[str, Any]
    author: str
    made_ms: int
    state: str
    judged_by: str | None
    reason: str | None
    judged_ms: int | None
    became: int | None


class Drafts:
    """Drafts of the station's book."""

    def __init__(self, book: StationBook, clock: Clock) -> None:
        self._book, self._clock = book, clock

    def save(self, line_id: str, recipe: RecipeRef, suspicion: float, figures: dict[str, Any], author: str) -> Draft:
        """A new draft that waits for somebody else."""
        with self._book.change() as book:
            row = (line_id, recipe.recipe_id, recipe.version, recipe.digest, suspicion, json.dumps(figures), author)
            number = book.execute(
                "INSERT INTO drafts "
                "(line_id, recipe_id, version, recipe_digest, suspicion, figures, author, made_ms, state) "
                "VALUES (?,?,?,?,?,?,?,?,?)",
                (*row, self._clock.now_ms(), WAITING),
            ).lastrowid
        return self.get(number or 0)

    def get(self, number: int) -> Draft:
        """A draft. Raises BadInput for one that does not exist."""
        row = self._book.row("SELECT * FROM drafts WHERE id = ?", number)
        if row is None:
            raise BadInput("problem.no_draft", number=number)
        return _draft(row)

    def newest(self, most: int = 30) -> list[Draft]:
        """The newest drafts, whatever became of them."""
        return [_draft(row) for row in self._book.rows("SELECT * FROM drafts ORDER BY id DESC LIMIT ?", most)]

    def judgeable(self, number: int, actor: str) -> Draft:
        """A draft that this person may judge. Raises Conflict where it was judged, Forbidden for its author."""
        draft = self.get(number)
        if draft.state != WAITING:
            raise Conflict("problem.draft_judged", state=draft.state, who=draft.judged_by)
        if draft.author.casefold() == actor.casefold():
            raise Forbidden("problem.own_draft")
        return draft

    def judge(self, number: int, actor: str, state: str, reason: str, became: int | None = None) -> Draft:
        """Judge a waiting draft. Raises as `judgeable` does; of two at once, the second raises Conflict."""
        self.judgeable(number, actor)
        touched = self._book.write(
            "UPDATE drafts SET state = ?, judged_by = ?, reason = ?, judged_ms = ?, became = ? "
            "WHERE id = ? AND state = ?",
            *(state, actor, reason, self._clock.now_ms(), became, number, WAITING),
        )
        if not touched:
            raise Conflict("problem.draft_judged_now")
        return self.get(number)


def _draft(row: sqlite3.Row) -> Draft:
    kept = dict(row)
    named = {"recipe_id": kept.pop("recipe_id"), "version": kept.pop("version"), "digest": kept.pop("recipe_digest")}
    return Draft(recipe=RecipeRef(**named), figures=json.loads(kept.pop("figures")), **kept)
