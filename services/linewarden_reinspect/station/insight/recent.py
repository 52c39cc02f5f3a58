"""The newest visits as the machine saw them, for questions of the kind: what would another threshold have done."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from linewarden_runtime.bounded import Bounded
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Verdict

_MOST_VISITS = 5000


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """One inspected frame; `limits` are the thresholds in force at it, `captured_ms` epoch ms."""

    frame_id: str
    visit_id: str
    view_id: str
    line_id: str
    recipe: RecipeRef
    verdict: Verdict
    p_defect: float | None
    suspicion: float | None
    limits: Thresholds | None
    captured_ms: int
    bundle_digest: str | None = None
    ingredients: Mapping[str, float] = field(default_factory=dict)


class RecentVisits:
    """The newest visits' frames by visit, at most so many; a frame inspected twice counts once, the first."""

    def __init__(self, most: int = _MOST_VISITS, frames_a_visit: int = 4) -> None:
        self.frames = most * frames_a_visit
        self._visits: Bounded[str, dict[str, SeenFrame]] = Bounded(most)
        self._lock = threading.Lock()

    def learn(self, inspection: Inspection) -> None:
        """Take in one inspection. Replays and shadows write in namespaces of their own and are never among them."""
        frame = SeenFrame(
            inspection.frame_id,
            inspection.visit_id,
            inspection.view_id,
            inspection.line_id,
            inspection.recipe,
            inspection.verdict,
            inspection.p_defect,
            inspection.suspicion,
            inspection.thresholds,
            inspection.captured_ms,
            inspection.bundle_digest,
            inspection.ingredients,
        )
        with self._lock:
            self._visits.setdefault(frame.visit_id, {}).setdefault(frame.frame_id, frame)

    def of_line(self, line_id: str, recipe_id: str) -> dict[str, tuple[SeenFrame, ...]]:
        """Frames by visit of one line under any version of one recipe, oldest visit first."""
        with self._lock:
            visits = [(visit, tuple(frames.values())) for visit, frames in self._visits.items()]
        wanted = {
            visit: tuple(one for one in frames if (one.line_id, one.recipe.recipe_id) == (line_id, recipe_id))
            for visit, frames in visits
        }
        return {visit: frames for visit, frames in wanted.items() if frames}

    def recipes(self) -> list[tuple[str, RecipeRef]]:
        """Lines and recipes among them, each once, the newest version of each."""
        with self._lock:
            frames = [one for visit in self._visits.values() for one in visit.values()]
        newest: dict[tuple[str, str], RecipeRef] = {}
        for one in frames:
            known = newest.get((one.line_id, one.recipe.recipe_id))
            if known is None or known.version < one.recipe.version:
                newest[one.line_id, one.recipe.recipe_id] = one.recipe
        return [(line, ref) for (line, _), ref in sorted(newest.items(), key=lambda item: item[0])]
