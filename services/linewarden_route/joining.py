"""Captures and inspections joined into the views of a visit, in whatever order they come.

A frame is told by its `frame_id`; its first capture and its first inspection count. Where records of one visit
contradict each other the frame gets a fault, which diverts, instead of one of them being believed.
"""

from __future__ import annotations

from linewarden_schemas.capture import Capture, Returned
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.route_state import ViewState, VisitSnapshot


def visit_of_capture(capture: Capture) -> VisitSnapshot:
    """A new visit, still without views."""
    return VisitSnapshot(
        visit_id=capture.visit_id,
        line_id=capture.line_id,
        recipe=capture.recipe,
        first_captured_ms=capture.captured_ms,
        decide_by_ms=capture.decide_by_ms,
        is_simulated=capture.is_simulated,
    )


def visit_of_inspection(inspection: Inspection) -> VisitSnapshot:
    """A new visit, still without views, whose capture is yet to come."""
    return VisitSnapshot(
        visit_id=inspection.visit_id,
        line_id=inspection.line_id,
        recipe=inspection.recipe,
        first_captured_ms=inspection.captured_ms,
        decide_by_ms=inspection.decide_by_ms,
        is_simulated=inspection.is_simulated,
    )


def in_budget(visit: VisitSnapshot, append_ms: int, budget_ms: int) -> VisitSnapshot:
    """The visit with a record appended at that time: it's decided at the latest `budget_ms` after its first one.

    A camera may name any deadline; its clock can only make the visit's earlier.
    """
    first_ms = append_ms if visit.first_append_ms is None else min(visit.first_append_ms, append_ms)
    changes = {"first_append_ms": first_ms, "decide_by_ms": min(visit.decide_by_ms, first_ms + budget_ms)}
    return visit.model_copy(update=changes)


def frame_of(visit: VisitSnapshot, frame_id: str) -> ViewState | None:
    """What is known of a frame."""
    return next((view for view in visit.views if view.frame_id == frame_id), None)


def with_capture(visit: VisitSnapshot, capture: Capture, *, out_of_time: bool) -> VisitSnapshot:
    """The visit with this capture; the same object where the frame's capture was known already."""
    known = frame_of(visit, capture.frame_id)
    if known is not None and known.captured:
        return visit
    view = known or ViewState(
        view_id=capture.view_id,
        frame_id=capture.frame_id,
        decide_by_ms=capture.decide_by_ms,
        captured_ms=capture.captured_ms,
    )
    changes = {
        "captured": True,
        "lost": capture.lost,
        "out_of_time": out_of_time,
        "sha256": view.sha256 or capture.sha256,
        "fault": view.fault or _conflict(visit, view, capture, capture.sha256),
    }
    return _with_view(_with_metadata(visit, capture), view.model_copy(update=changes))


def with_inspection(visit: VisitSnapshot, inspection: Inspection, at: SourceRef) -> VisitSnapshot:
    """The visit with this inspection; the same object where the frame was inspected already."""
    known = frame_of(visit, inspection.frame_id)
    if known is not None and known.inspection is not None:
        return visit
    view = known or ViewState(
        view_id=inspection.view_id,
        frame_id=inspection.frame_id,
        decide_by_ms=inspection.decide_by_ms,
        captured_ms=inspection.captured_ms,
    )
    changes = {
        "verdict": inspection.verdict,
        "undecidable": inspection.undecidable,
        "p_defect": inspection.p_defect,
        "suspicion": inspection.suspicion,
        "doubtful": inspection.is_doubtful,
        "risk": risk_of(inspection),
        "reasons": inspection.reasons,
        "frame": inspection.source,
        "inspection": at,
        "sha256": view.sha256 or inspection.frame_sha256,
        "fault": view.fault or _conflict(visit, view, inspection, inspection.frame_sha256),
    }
    told = {
        "recipe": visit.recipe.sharper(inspection.recipe),
        "first_captured_ms": min(visit.first_captured_ms, inspection.captured_ms),
        "decide_by_ms": min(visit.decide_by_ms, inspection.decide_by_ms),
    }
    return _with_view(visit.model_copy(update=told), view.model_copy(update=changes))


def risk_of(inspection: Inspection) -> float:
    """How likely a defect is, in [0, 1], for the order of reviews: 1 where the frame was not decidable.

    Suspicion is put on a common scale by its own threshold t, as u / (u + t): one half exactly at it.
    """
    if inspection.p_defect is None or inspection.suspicion is None or inspection.thresholds is None:
        return 1.0
    doubt, limit = max(inspection.suspicion, 0.0), max(inspection.thresholds.suspicion, 0.0)
    scaled = doubt / (doubt + limit) if doubt + limit > 0.0 else 0.5
    return max(inspection.p_defect, min(scaled, 1.0))


def _conflict(visit: VisitSnapshot, view: ViewState, record: Capture | Inspection, sha256: str | None) -> str | None:
    checks = (
        (not record.recipe.is_same(visit.recipe), "records of this visit name different recipes"),
        (record.line_id != visit.line_id, "records of this visit name different lines"),
        (record.is_simulated != visit.is_simulated, "simulated and real records are mixed in this visit"),
        (record.view_id != view.view_id, "capture and inspection name different views"),
        (None not in (sha256, view.sha256) and sha256 != view.sha256, "what was inspected is not what was captured"),
    )
    return next((text for failed, text in checks if failed), None)


def _with_metadata(visit: VisitSnapshot, capture: Capture) -> VisitSnapshot:
    changes = {
        "recipe": visit.recipe.sharper(capture.recipe),
        "station_id": visit.station_id or capture.station_id,
        "line_state": visit.line_state or capture.line_state,
        "part_id": visit.part_id or capture.part_id,
        "lot_id": visit.lot_id or capture.lot_id,
        "product_id": visit.product_id or capture.product_id,
        "bin_slot": visit.bin_slot or capture.bin_slot,
        "known_bad": visit.known_bad or capture.known_bad,
        "returned": _returned(visit.returned, capture.returned),
        "first_captured_ms": min(visit.first_captured_ms, capture.captured_ms),
        "decide_by_ms": min(visit.decide_by_ms, capture.decide_by_ms),
    }
    return visit.model_copy(update=changes)


def _returned(known: Returned | None, told: Returned | None) -> Returned | None:
    """Of two tellings the one without an authority, so that the order of captures cannot matter."""
    if known is None or told is None:
        return known or told
    return told if told.authority is None else known


def _with_view(visit: VisitSnapshot, view: ViewState) -> VisitSnapshot:
    others = tuple(one for one in visit.views if one.frame_id != view.frame_id)
    ordered = tuple(sorted((*others, view), key=lambda one: (one.view_id, one.frame_id)))
    return visit.model_copy(update={"views": ordered})
