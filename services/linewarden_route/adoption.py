"""Adopting a routing that was published although the state does not show it.

One transaction carries both, but the client speaks a transaction protocol under which a broker may tear it
(KAFKA-17754); so what readers can see binds.
"""

from __future__ import annotations

from linewarden_schemas.disposition import Disposition, ViewResult
from linewarden_schemas.route_state import ViewState, VisitSnapshot
from linewarden_schemas.vocabulary import Routing

from . import review
from .events import Context, Step
from .policy import is_answered
from .routing import with_forget_time


def adopt(visit: VisitSnapshot | None, seen: Disposition, context: Context) -> Step:
    """Take over a visible revision 0 that the state does not know, instead of deciding a second time.

    An adopted diversion is asked for again under the slot ids that it had at first, so readers see no second one.
    """
    if visit is not None and visit.revision >= 0:
        return Step(visit)
    base = visit if visit is not None else _visit_of(seen)
    changes = {
        "views": _views_with(base, seen),
        "revision": 0,
        "routing": seen.routing,
        "causes": seen.causes,
        "reasons": seen.reasons,
        "final": seen.final,
    }
    adopted = base.model_copy(update=changes)
    return Step(with_forget_time(adopted, context)) if seen.final else review.ask(adopted, context)


def _visit_of(seen: Disposition) -> VisitSnapshot:
    return VisitSnapshot(
        visit_id=seen.visit_id,
        line_id=seen.line_id,
        station_id=seen.station_id,
        recipe=seen.recipe,
        line_state=seen.line_state,
        part_id=seen.part_id,
        lot_id=seen.lot_id,
        product_id=seen.product_id,
        first_captured_ms=seen.first_captured_ms,
        decide_by_ms=seen.decide_by_ms,
        is_simulated=seen.is_simulated,
    )


def _views_with(visit: VisitSnapshot, seen: Disposition) -> tuple[ViewState, ...]:
    """What the state knows of each frame, and of frames that it does not know what the disposition tells.

    A pass vouches for its views: records that are delivered again are duplicates to it and raise no alarm.
    """
    known = {view.frame_id: view for view in visit.views}
    told = {view.frame_id: _view_of(view, view.frame_id, seen) for view in seen.views if view.frame_id is not None}
    kept = {frame_id: view for frame_id, view in known.items() if frame_id not in told or is_answered(view)}
    merged = told | kept
    return tuple(sorted(merged.values(), key=lambda one: (one.view_id, one.frame_id)))


def _view_of(view: ViewResult, frame_id: str, seen: Disposition) -> ViewState:
    return ViewState(
        view_id=view.view_id,
        frame_id=frame_id,
        decide_by_ms=seen.decide_by_ms,
        captured_ms=seen.first_captured_ms,
        captured=view.verdict is not None,
        doubtful=seen.routing is not Routing.TRUSTED_PASS,
        verdict=view.verdict,
        undecidable=view.undecidable,
        p_defect=view.p_defect,
        suspicion=view.suspicion,
    )
