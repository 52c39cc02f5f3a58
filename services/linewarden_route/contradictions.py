"""What records of one visit say differently: noted with every value that was told, whatever order they come in.

A value that is absent contradicts nothing. What was told before is no news, so records that are sent again change
nothing; and a visit keeps a bounded number of contradictions, since one already withholds it.
"""

from __future__ import annotations

from collections.abc import Iterable

from linewarden_domain.agreement import ACROSS_DEVICES_TOLERANCE, SAME_DEVICE_TOLERANCE, deviation
from linewarden_schemas.capture import Capture
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.route_state import Contradiction, ViewState, VisitSnapshot
from linewarden_schemas.vocabulary import Undecidable, Verdict

MOST = 16
"""Contradictions of a visit that are kept."""
MOST_VALUES = 4
"""Values of one contradiction that are kept."""

VERDICTS = "verdicts"
"""The name of the contradiction between two answers about one frame."""

Pair = tuple[str, str | None, str | None]
"""What is told, as it was told before, and as it is told now; None where it was not told."""


def noted(visit: VisitSnapshot, pairs: Iterable[Pair], frame_id: str | None = None) -> VisitSnapshot:
    """The visit with every pair that differs; the same object where none does, or it was known already."""
    for what, known, told in pairs:
        if known is not None and told is not None and known != told:
            visit = _with(visit, what, {known, told}, frame_id)
    return visit


def of_both(visit: VisitSnapshot, record: Capture | Inspection) -> tuple[Pair, ...]:
    """What every record says of its visit."""
    pairs = (
        ("lines", visit.line_id, record.line_id),
        ("kinds", _world(visit.is_simulated), _world(record.is_simulated)),
    )
    if visit.recipe.is_same(record.recipe):
        return pairs
    return (("recipes", _named(visit.recipe), _named(record.recipe)), *pairs)


def of_capture(visit: VisitSnapshot, capture: Capture) -> tuple[Pair, ...]:
    """What captures alone say of their visit."""
    known, told = visit.returned, capture.returned
    pairs = (
        ("stations", visit.station_id, capture.station_id),
        ("line states", _state(visit.line_state), _state(capture.line_state)),
        ("serials", visit.part_id, capture.part_id),
        ("lots", visit.lot_id, capture.lot_id),
        ("products", visit.product_id, capture.product_id),
        ("places", visit.bin_slot, capture.bin_slot),
    )
    if known is None or told is None:
        return pairs
    return (
        *pairs,
        ("visits before", known.previous_visit_id, told.previous_visit_id),
        ("authorities", known.authority, told.authority),
    )


def of_frame(view: ViewState, record: Capture | Inspection, sha256: str | None) -> tuple[Pair, ...]:
    """What every record says of its frame; `sha256` is its digest of the picture."""
    pairs = (
        ("views", view.view_id, record.view_id),
        ("cameras", view.camera_id, record.camera_id),
        ("pictures", view.sha256, sha256),
    )
    # When its picture was taken and is to be decided by, unless no record of it was seen yet.
    if not has_record(view):
        return pairs
    return (
        *pairs,
        ("times of capture", str(view.captured_ms), str(record.captured_ms)),
        ("deadlines", str(view.decide_by_ms), str(record.decide_by_ms)),
    )


def has_record(view: ViewState) -> bool:
    """Whether a capture or inspection of this frame was seen; a view taken over from a routing has neither."""
    return view.camera_id is not None


def of_answers(view: ViewState, inspection: Inspection) -> tuple[Pair, ...]:
    """What a second inspection of a frame says differently from the first.

    An answer `late` says nothing of the picture; only a defect that was seen by the other one is news beside it.
    Scores agree within the tolerance of a replay.
    """
    bundles = ("bundles", view.bundle_digest, inspection.bundle_digest)
    limits = ("thresholds", in_limits(view.thresholds), in_limits(inspection.thresholds))
    if view.verdict is inspection.verdict is Verdict.OK and view.accepted is not inspection.accepted:
        return (("acceptances", f"accepted {view.accepted}", f"accepted {inspection.accepted}"), bundles, limits)
    known, told = view.verdict, inspection.verdict
    if known is not None and known is not told:
        is_late = Undecidable.LATE in {view.undecidable, inspection.undecidable}
        # A frame that was answered late diverts already; an OK after it cannot make that better, an NG makes it worse.
        if is_late and told is not Verdict.NG:
            return (bundles, limits)
        return ((VERDICTS, known.value, told.value), bundles, limits)
    same_device = (view.device, view.precision) == (inspection.device, inspection.precision)
    if deviation(view, inspection) > (SAME_DEVICE_TOLERANCE if same_device else ACROSS_DEVICES_TOLERANCE):
        return (("scores", _scores(view), _scores(inspection)), bundles, limits)
    return (bundles, limits)


def _with(visit: VisitSnapshot, what: str, told: set[str], frame_id: str | None) -> VisitSnapshot:
    known = next((one for one in visit.contradictions if (one.what, one.frame_id) == (what, frame_id)), None)
    # A set: the order in which records come must not change what the visit says.
    values = told.union(known.values if known else ())
    if known is not None and (len(values) == len(known.values) or len(known.values) >= MOST_VALUES):
        return visit
    if known is None and len(visit.contradictions) >= MOST:
        return visit
    others = tuple(one for one in visit.contradictions if one is not known)
    found = Contradiction(what=what, values=tuple(sorted(values)), frame_id=frame_id)
    ordered = sorted((*others, found), key=lambda one: (one.frame_id or "", one.what))
    return visit.model_copy(update={"contradictions": tuple(ordered)})


def _named(ref: RecipeRef) -> str:
    return ref.name if ref.digest is None else f"{ref.name}@{ref.digest}"


def _state(state: LineStateRef | None) -> str | None:
    if state is None:
        return None
    order, shift = state.order_id or "none", state.shift or "none"
    more = (", with a gate" if state.has_gate else "") + (", locked" if state.locked else "")
    return f"{state.mode.value} since {state.since_ms}, order {order}, shift {shift}{more}"


def _world(is_simulated: bool) -> str:
    return "simulated" if is_simulated else "real"


def in_limits(limits: Thresholds | None) -> str | None:
    """Thresholds as words; None for none."""
    return None if limits is None else f"defect {limits.defect}, suspicion {limits.suspicion}"


def _scores(of: ViewState | Inspection) -> str:
    return f"p {of.p_defect}, suspicion {of.suspicion}"
