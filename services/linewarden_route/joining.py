"""Captures and inspections joined into the views of a visit, in whatever order they come.

A frame is told by its `frame_id`; its first capture and its first inspection count. Where a record contradicts
another one of its visit, both are named in the visit's contradictions, which divert it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from linewarden_domain.agreement import ACROSS_DEVICES_TOLERANCE
from linewarden_route.bounds import fault, short_reasons
from linewarden_route.contradictions import has_record, noted, of_answers, of_both, of_capture, of_frame
from linewarden_schemas.capture import Capture
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.route_state import ViewState, VisitSnapshot

Model = TypeVar("Model", ViewState, VisitSnapshot)


def new_visit(record: Capture | Inspection) -> VisitSnapshot:
    """A new visit, still without views."""
    return VisitSnapshot(
        visit_id=record.visit_id,
        line_id=record.line_id,
        recipe=record.recipe,
        first_captured_ms=record.captured_ms,
        decide_by_ms=record.decide_by_ms,
        is_simulated=record.is_simulated,
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
    """The visit with this capture; the same object where it says nothing new."""
    view = _view_of(visit, capture)
    told = noted(visit, (*of_both(visit, capture), *of_capture(visit, capture)))
    told = noted(told, of_frame(view, capture, capture.sha256), view.frame_id)
    facts: dict[str, object] = {
        "sha256": view.sha256 or capture.sha256,
        "camera_id": view.camera_id or capture.camera_id,
        "fault": view.fault or capture.doubt,
        # Also what only a capture that was sent again tells; in an order of their own, so that theirs changes nothing.
        "conditions": tuple(sorted({*view.conditions, *capture.conditions})),
        **_times(view, capture),
    }
    if view.captured:
        # A frame that was a part's before and is now a known-bad; the reverse is told of other views each time.
        if capture.known_bad and not visit.known_bad:
            told = noted(told, [("purposes", "part", "known-bad")], view.frame_id)
    else:
        # The first capture counts; one that is sent again, with its picture or as lost, is a duplicate.
        facts |= {"captured": True, "lost": capture.lost, "out_of_time": out_of_time}
        if capture.lost is not None and capture.lost_detail is not None:
            facts["fault"] = facts["fault"] or f"{capture.lost.value}: {capture.lost_detail}"
    return _with_view(_with_metadata(told, capture), _changed(view, facts))


def with_inspection(visit: VisitSnapshot, inspection: Inspection, at: SourceRef) -> VisitSnapshot:
    """The visit with this inspection; the same object where it says nothing new.

    The first answer about a frame stands; of a routing that was adopted the first record fills in what it lacks.
    """
    view = _view_of(visit, inspection)
    told = noted(visit, of_both(visit, inspection))
    told = noted(told, of_frame(view, inspection, inspection.frame_sha256), view.frame_id)
    if view.verdict is not None:
        told = noted(told, of_answers(view, inspection), view.frame_id)
    told = _changed(told, {"recipe": visit.recipe.sharper(inspection.recipe)})
    if view.inspection is not None:
        return told
    made = _made(view, inspection, at) | _times(view, inspection)
    if view.verdict is None:
        made |= {
            "verdict": inspection.verdict,
            "undecidable": inspection.undecidable,
            "p_defect": inspection.p_defect,
            "suspicion": inspection.suspicion,
            "measured": inspection.defects is not None,
            "accepted": inspection.accepted,
            "located": inspection.location is not None,
        }
    facts = {
        "first_captured_ms": min(visit.first_captured_ms, inspection.captured_ms),
        "decide_by_ms": min(visit.decide_by_ms, inspection.decide_by_ms),
    }
    return _with_view(_changed(told, facts), _changed(view, made))


def _view_of(visit: VisitSnapshot, record: Capture | Inspection) -> ViewState:
    return frame_of(visit, record.frame_id) or ViewState(
        view_id=record.view_id,
        frame_id=record.frame_id,
        decide_by_ms=record.decide_by_ms,
        captured_ms=record.captured_ms,
    )


def _times(view: ViewState, record: Capture | Inspection) -> dict[str, object]:
    """The times of a frame, by its first record."""
    return {} if has_record(view) else {"captured_ms": record.captured_ms, "decide_by_ms": record.decide_by_ms}


def _made(view: ViewState, inspection: Inspection, at: SourceRef) -> dict[str, object]:
    limits = inspection.thresholds
    return {
        "camera_id": view.camera_id or inspection.camera_id,
        "sha256": view.sha256 or inspection.frame_sha256,
        # Where a threshold comes from decides nothing, and states have to stay small.
        "thresholds": None if limits is None else limits.model_copy(update={"provenance": None}),
        "bundle_digest": inspection.bundle_digest,
        "device": inspection.device,
        "precision": inspection.precision,
        # An answer without its inspection came of an adopted routing, which may know more against the frame.
        "doubtful": inspection.is_doubtful or (view.verdict is not None and view.doubtful),
        "risk": risk_of(inspection),
        "frame": inspection.source,
        "inspection": at,
        **short_reasons(inspection),
        **(_fault_of(inspection) if view.fault is None else {}),
    }


def _fault_of(inspection: Inspection) -> dict[str, object]:
    """What an inspection that is alone says against itself."""
    if inspection.frame_sha256 is None:
        return fault(inspection.view_id, "no_digest")
    p, margin = inspection.p_defect, inspection.margin
    if p is not None and margin is not None and abs(_sigmoid(margin) - p) > ACROSS_DEVICES_TOLERANCE:
        return fault(inspection.view_id, "margin", p=p, margin=margin, given=_sigmoid(margin))
    return {}


def _sigmoid(margin: float) -> float:
    return (1.0 + math.tanh(margin / 2.0)) / 2.0


def risk_of(inspection: Inspection) -> float:
    """How likely a defect is, in [0, 1], for the order of reviews: 1 where the frame was not decidable.

    Suspicion is put on a common scale by its own threshold t, as u / (u + t): one half exactly at it.
    """
    if inspection.p_defect is None or inspection.suspicion is None or inspection.thresholds is None:
        return 1.0
    doubt, limit = max(inspection.suspicion, 0.0), max(inspection.thresholds.suspicion, 0.0)
    scaled = doubt / (doubt + limit) if doubt + limit > 0.0 else 0.5
    return max(inspection.p_defect, min(scaled, 1.0))


def _with_metadata(visit: VisitSnapshot, capture: Capture) -> VisitSnapshot:
    returned = visit.returned or capture.returned
    # Of two tellings the one without an authority, so that the order of captures cannot matter.
    if capture.returned is not None and capture.returned.authority is None:
        returned = capture.returned
    changes = {
        "recipe": visit.recipe.sharper(capture.recipe),
        "station_id": visit.station_id or capture.station_id,
        "line_state": visit.line_state or capture.line_state,
        "part_id": visit.part_id or capture.part_id,
        "lot_id": visit.lot_id or capture.lot_id,
        "product_id": visit.product_id or capture.product_id,
        # Of two tellings the lesser, for the same reason; it decides nothing.
        "cavity": min((one for one in (visit.cavity, capture.cavity) if one is not None), default=None),
        "bin_slot": visit.bin_slot or capture.bin_slot,
        "known_bad": visit.known_bad or capture.known_bad,
        "returned": returned,
        "first_captured_ms": min(visit.first_captured_ms, capture.captured_ms),
        "decide_by_ms": min(visit.decide_by_ms, capture.decide_by_ms),
    }
    return _changed(visit, changes)


def _with_view(visit: VisitSnapshot, view: ViewState) -> VisitSnapshot:
    if any(one is view for one in visit.views):
        return visit
    others = tuple(one for one in visit.views if one.frame_id != view.frame_id)
    # In an order of their own, so that the one in which records came changes nothing.
    ordered = tuple(sorted((*others, view), key=lambda one: (one.view_id, one.frame_id)))
    return visit.model_copy(update={"views": ordered})


def _changed(model: Model, facts: Mapping[str, object]) -> Model:
    """The model with these facts; the same object where it has them already."""
    news = {name: value for name, value in facts.items() if getattr(model, name) != value}
    return model.model_copy(update=news) if news else model
