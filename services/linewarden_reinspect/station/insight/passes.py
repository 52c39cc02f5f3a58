"""Visits that the machine calls OK, with what people found of them: what trust is measured on.

Only low trust and audit count among the causes: a visit withheld for another one (late, fault, known-bad) was never
trust's to decide, and is left out. A visit that lacks a view of its recipe is none either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from linewarden_reinspect.station.insight.index import HistoryIndex
from linewarden_reinspect.station.insight.recent import SeenFrame
from linewarden_reinspect.station.insight.thresholds import ok_visits
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import Cause, Judgement


@dataclass(frozen=True, slots=True)
class PassedVisit:
    """One visit called OK in every view, by its most suspicious one; `defective` is None where nobody answered.

    `p_defect` is the highest of its views: what lowering the network's threshold would go by. `captured_ms` epoch ms.
    """

    visit_id: str
    suspicion: float
    p_defect: float
    is_doubted: bool
    is_audit: bool
    defective: bool | None
    version: int
    captured_ms: int


def passes_of(
    visits: Mapping[str, Sequence[SeenFrame]],
    found: Mapping[str, Judgement],
    causes: Mapping[str, frozenset[str]],
    recipe: Callable[[RecipeRef], Recipe | None],
) -> list[PassedVisit]:
    """Passes of the visits, in their order; `causes` of the visits that were withheld."""
    passes = []
    for side in ok_visits(visits):
        frames, why = visits[side.visit_id], causes.get(side.visit_id, frozenset())
        known = recipe(side.worst.recipe)
        is_whole = known is None or {view.view_id for view in known.views} <= {one.view_id for one in frames}
        if is_whole and why <= {Cause.LOW_TRUST.value, Cause.AUDIT.value}:
            answer = found.get(side.visit_id)
            own = None if known is None else known.thresholds
            limits = [one.suspicion for frame in frames for one in (frame.limits, own) if one is not None]
            passes.append(
                PassedVisit(
                    visit_id=side.visit_id,
                    suspicion=side.suspicion,
                    p_defect=max((one.p_defect for one in frames if one.p_defect is not None), default=0.0),
                    is_doubted=side.suspicion >= min(limits, default=float("-inf")),
                    is_audit=Cause.AUDIT.value in why,
                    defective=None if answer is None else answer is Judgement.NG,
                    version=frames[0].recipe.version,
                    captured_ms=min(one.captured_ms for one in frames),
                )
            )
    return passes


def causes_of(index: HistoryIndex, line_id: str) -> dict[str, frozenset[str]]:
    """Causes by withheld visit of a line, those of all its slots together."""
    causes: dict[str, frozenset[str]] = {}
    for row in index.rows("SELECT visit_id, causes FROM slots WHERE line_id = ?", line_id):
        causes[row["visit_id"]] = causes.get(row["visit_id"], frozenset()) | frozenset(row["causes"].split())
    return causes
