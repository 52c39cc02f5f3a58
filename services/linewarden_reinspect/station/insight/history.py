"""What the auditor reads: events of slots, newest first, by part, slot, actor and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .index import HistoryIndex

_BEYOND = 1 << 60
_OPEN = (
    "SELECT 1 FROM slots o WHERE NOT EXISTS (SELECT 1 FROM events c WHERE c.slot_id = o.slot_id AND c.kind = 'closed')"
)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """A filter; empty words and zero times do not bind. Times are epoch ms, `part` is a serial or a visit's id.

    `settled_only` leaves out visits with an open slot: whoever may review them must not read of them before.
    """

    part: str = ""
    settled_only: bool = False
    slot: str = ""
    actor: str = ""
    kind: str = ""
    from_ms: int = 0
    to_ms: int = _BEYOND


def page(
    index: HistoryIndex, wanted: HistoryFilter, before: tuple[int, int] | None, limit: int
) -> list[dict[str, Any]]:
    """The newest events that fit, those before a place (`at_ms`, `id`) where one is given."""
    at_ms, last_id = before or (_BEYOND, _BEYOND)
    rows = index.rows(
        "SELECT e.id, e.at_ms, e.kind, e.actor, e.role, e.visit_id, e.slot_id, e.decision_id, e.judgement, "  # noqa: S608 - fixed words
        "e.first_judgement, e.undoes, e.detail, COALESCE(s.part_id, '') AS part_id, COALESCE(s.line_id, '') AS line_id "
        "FROM events e LEFT JOIN slots s ON s.slot_id = e.slot_id "
        "WHERE (e.at_ms, e.id) < (?, ?) AND e.at_ms BETWEEN ? AND ? "
        "AND (? = '' OR s.part_id = ? OR e.visit_id = ?) AND (? = '' OR e.slot_id = ?) "
        "AND (? = '' OR e.actor = ? COLLATE NOCASE) AND (? = '' OR e.kind = ?) "
        f"AND (NOT ? OR NOT EXISTS ({_OPEN} AND o.visit_id = e.visit_id)) "
        "ORDER BY e.at_ms DESC, e.id DESC LIMIT ?",
        *(at_ms, last_id, wanted.from_ms, wanted.to_ms),
        *(wanted.part, wanted.part, wanted.part, wanted.slot, wanted.slot),
        *(wanted.actor, wanted.actor, wanted.kind, wanted.kind, wanted.settled_only, limit),
    )
    return [{name: row[name] for name in row.keys()} for row in rows]  # noqa: SIM118 - a Row is no dict


def is_open(index: HistoryIndex, visit_id: str) -> bool:
    """Whether somebody is to judge this visit still."""
    return bool(index.rows(f"{_OPEN} AND o.visit_id = ?", visit_id))


def kinds(index: HistoryIndex) -> list[str]:
    """Every kind of event there is."""
    return [row["kind"] for row in index.rows("SELECT DISTINCT kind FROM events ORDER BY kind")]
