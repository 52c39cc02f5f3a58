"""Judgements that count, what people found by them, and visits that were reviewed twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from linewarden_reinspect.station.insight.index import HistoryIndex
from linewarden_schemas.vocabulary import Judgement


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement of a slot that counts: the first that was neither undone nor refused. Times are epoch ms."""

    slot_id: str
    visit_id: str
    actor: str
    judgement: str
    first_judgement: str
    at_ms: int
    line_id: str
    review_round: int
    generation: int
    opened_ms: int
    causes: str


def counting(index: HistoryIndex, from_ms: int, to_ms: int, line_id: str = "") -> list[Judged]:
    """Judgements given in a time (both ends included), oldest first; of one line where one is named."""
    rows = index.rows(
        """
        SELECT e.slot_id, e.visit_id, e.actor, e.judgement, e.first_judgement, MIN(e.at_ms) AS at_ms,
               s.line_id, s.review_round, s.generation, s.opened_ms, s.causes
        FROM events e JOIN slots s ON s.slot_id = e.slot_id
        WHERE e.kind = 'judge' AND e.at_ms BETWEEN ? AND ? AND (? = '' OR s.line_id = ?)
          AND e.decision_id NOT IN (SELECT undoes FROM events WHERE kind = 'undo')
          AND NOT EXISTS (
            SELECT 1 FROM events c WHERE c.slot_id = e.slot_id AND c.kind = 'closed' AND c.detail LIKE 'refused%')
        GROUP BY e.slot_id ORDER BY at_ms
        """,
        *(from_ms, to_ms, line_id, line_id),
    )
    return [Judged(**dict(row)) for row in rows]


def truth(judged: Iterable[Judged]) -> dict[str, Judgement]:
    """What people found each visit to be: the newest OK or NG of the highest round."""
    found: dict[str, Judgement] = {}
    for one in sorted(judged, key=lambda one: (one.review_round, one.at_ms)):
        if one.judgement != Judgement.UNSURE:
            found[one.visit_id] = Judgement(one.judgement)
    return found


def reviewed_twice(judged: Iterable[Judged]) -> list[tuple[str, str]]:
    """First and second review of each visit that has both, by two people who both said OK or NG."""
    rounds: dict[str, dict[int, Judged]] = {}
    for one in judged:
        if one.review_round in {0, 1} and one.judgement != Judgement.UNSURE:
            rounds.setdefault(one.visit_id, {})[one.review_round] = one
    pairs = [(both[0], both[1]) for both in rounds.values() if len(both) == 2]
    return [(first.judgement, second.judgement) for first, second in pairs if first.actor != second.actor]
