"""How many of the seeded known-bads people caught, by shift. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from linewarden_audit.report.tally import counting
from linewarden_domain.rates import rate
from linewarden_history.reports.story import VisitHistory
from linewarden_history.shifts.tally import UNNAMED
from linewarden_schemas.vocabulary import Judgement


def by_shift(stories: Iterable[VisitHistory]) -> list[dict[str, Any]]:
    """One row of each line, day (UTC) and shift with a known-bad, with its exact 95 % interval.

    Caught where anybody's counting judgement is NG; unsure is no answer, and stays among those shown.
    """
    shown, answered, caught = (Counter[tuple[str, str, str]]() for _ in range(3))
    for story in stories:
        if not story.is_known_bad or story.captured_ms is None:
            continue
        day = datetime.fromtimestamp(story.captured_ms / 1000, UTC).date().isoformat()
        row = story.line_id or "", day, (story.state.shift if story.state else None) or UNNAMED
        answers = [one.judgement for one in counting(story).values() if one.judgement in {Judgement.OK, Judgement.NG}]
        shown[row] += 1
        answered[row] += bool(answers)
        caught[row] += Judgement.NG in answers
    rows = []
    for row in sorted(shown):
        told: dict[str, Any] = dict(zip(("line", "day", "shift"), row, strict=True))
        told |= {"shown": shown[row], "answered": answered[row], "caught": caught[row]}
        found = rate("catch_rate_of_answered_known_bads", caught[row], answered[row]).as_dict()
        rows.append(told | {key: found[key] for key in ("value", "low", "high")})
    return rows
