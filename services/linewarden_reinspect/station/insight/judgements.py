"""Judgements that count, and how far two blind reviews of the same visit agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from linewarden_schemas.vocabulary import Judgement

from .index import HistoryIndex

_COUNTING = """
SELECT e.slot_id, e.visit_id, e.actor, e.judgement, e.first_judgement, MIN(e.at_ms) AS at_ms,
       s.line_id, s.review_round, s.generation, s.opened_ms, s.causes
FROM events e JOIN slots s ON s.slot_id = e.slot_id
WHERE e.kind = 'judge' AND e.at_ms BETWEEN ? AND ? AND (? = '' OR s.line_id = ?)
  AND e.decision_id NOT IN (SELECT undoes FROM events WHERE kind = 'undo')
  AND NOT EXISTS (SELECT 1 FROM events c WHERE c.slot_id = e.slot_id AND c.kind = 'closed' AND c.detail LIKE 'refused%')
GROUP BY e.slot_id ORDER BY at_ms
"""
_BLIND_ROUNDS = (0, 1)


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


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two blind reviews of `n` visits: the share judged alike, and Cohen's kappa (1960); None where undefined."""

    n: int
    alike: float | None
    kappa: float | None


def counting(index: HistoryIndex, from_ms: int, to_ms: int, line_id: str = "") -> list[Judged]:
    """Judgements given in a time (both ends included), oldest first; of one line where one is named."""
    return [_judged(dict(row)) for row in index.rows(_COUNTING, from_ms, to_ms, line_id, line_id)]


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
        if one.review_round in _BLIND_ROUNDS and one.judgement != Judgement.UNSURE:
            rounds.setdefault(one.visit_id, {})[one.review_round] = one
    pairs = [(both[0], both[1]) for both in rounds.values() if len(both) == len(_BLIND_ROUNDS)]
    return [(first.judgement, second.judgement) for first, second in pairs if first.actor != second.actor]


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Cohen's kappa over pairs of answers; undefined for none, and where chance alone would make all alike."""
    n = len(pairs)
    if n == 0:
        return Agreement(0, None, None)
    alike = sum(first == second for first, second in pairs) / n
    answers = {answer for pair in pairs for answer in pair}
    by_chance = sum(_share(pairs, 0, answer) * _share(pairs, 1, answer) for answer in answers)
    return Agreement(n, alike, None if by_chance >= 1.0 else (alike - by_chance) / (1.0 - by_chance))


def _share(pairs: Sequence[tuple[str, str]], side: int, answer: str) -> float:
    return sum(pair[side] == answer for pair in pairs) / len(pairs)


def _judged(row: dict[str, Any]) -> Judged:
    return Judged(**row)
