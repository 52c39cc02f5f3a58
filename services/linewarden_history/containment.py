"""What a camera let pass before somebody, or it, recognised that something was wrong with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linewarden_history.index.store import StoryIndex

_CAPTURES = """
SELECT e.visit_id, e.at_ms, json_extract(e.told, '$.conditions') AS conditions, json_extract(e.told, '$.lost') AS lost
FROM entries e
WHERE e.topic = 'captures' AND e.kind = 'captured' AND json_extract(e.told, '$.camera_id') = :camera_id
  AND NOT coalesce(json_extract(e.told, '$.known_bad'), 0)
ORDER BY e.at_ms, json_extract(e.told, '$.spool_epoch'), json_extract(e.told, '$.sequence')
"""
_PASSES = """
SELECT visit_id, part_id, lot_id, product_id, captured_ms, revision, latest_routing, outcome
FROM visits WHERE visit_id = :visit_id AND routing = 'trusted_pass'
"""
"""By the first routing: it is what moved the gate, whatever was told afterwards."""


_WITHIN = """
SELECT visit_id, part_id, lot_id, product_id, captured_ms, mode, routing, latest_routing, outcome
FROM visits
WHERE line_id = :line_id AND captured_ms >= :from_ms AND captured_ms <= :to_ms
  AND (NOT :passes OR routing = 'trusted_pass')
ORDER BY captured_ms, visit_id
"""


@dataclass(frozen=True, slots=True)
class Suspected:
    """Trusted passes of one camera, in order of capture, from `from_ms` to `to_ms` (epoch ms, both included).

    `conditions` are those of its captures in this time. `is_sure` says that the range begins with a capture that was
    taken, and without any condition.
    """

    camera_id: str
    from_ms: int
    to_ms: int
    conditions: tuple[str, ...]
    is_sure: bool
    visits: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, for `--json`."""
        return asdict(self)


def suspected(index: StoryIndex, camera_id: str, from_ms: int | None = None, to_ms: int | None = None) -> Suspected:
    """Passes from the last sure capture before the camera's newest stretch of conditions to that stretch's end.

    The sure capture is among them: of a camera that is frozen the first picture of the equal ones may be old already.
    With `from_ms`, somebody says since when it may not be believed.

    Raises:
        ValueError: where the camera is unknown, or has no capture under a condition and no time is given.
    """
    seen = [row for row in index.rows(_CAPTURES, {"camera_id": camera_id}) if to_ms is None or row["at_ms"] <= to_ms]
    if not seen:
        raise ValueError(f"no capture of camera {camera_id} is known")
    if from_ms is None:
        stretch, is_sure = _newest_stretch(seen, camera_id)
    else:
        stretch, is_sure = [row for row in seen if row["at_ms"] >= from_ms], False
    names = dict.fromkeys(str(row["visit_id"]) for row in stretch)
    passed = (index.row(_PASSES, {"visit_id": name}) for name in names)
    return Suspected(
        camera_id,
        stretch[0]["at_ms"] if from_ms is None else from_ms,
        stretch[-1]["at_ms"] if stretch and to_ms is None else to_ms or seen[-1]["at_ms"],
        tuple(sorted({one for row in stretch for one in _conditions(row)})),
        is_sure,
        tuple(dict(row) for row in passed if row is not None),
    )


def captured_within(index: StoryIndex, line_id: str, from_ms: int, to_ms: int, *, passes: bool) -> list[dict[str, Any]]:
    """Visits of a line captured in a time (epoch ms, both included), in order; with `passes` only those that passed."""
    asked = {"line_id": line_id, "from_ms": from_ms, "to_ms": to_ms, "passes": int(passes)}
    return [dict(row) for row in index.rows(_WITHIN, asked)]


def _newest_stretch(seen: Sequence[sqlite3.Row], camera_id: str) -> tuple[list[sqlite3.Row], bool]:
    """The newest captures in a row that have conditions, with those from the last sure one before; whether it is."""
    wrong = [bool(_conditions(row)) for row in seen]
    if True not in wrong:
        raise ValueError(f"no capture of camera {camera_id} has a condition; say since when by --from")
    last = first = len(wrong) - 1 - wrong[::-1].index(True)
    while first and wrong[first - 1]:
        first -= 1
    sure = [number for number in range(first) if not wrong[number] and seen[number]["lost"] is None]
    return list(seen[sure[-1] if sure else 0 : last + 1]), bool(sure)


def _conditions(row: sqlite3.Row) -> list[str]:
    return json.loads(row["conditions"] or "[]")  # type: ignore[no-any-return]  # as captures have it
