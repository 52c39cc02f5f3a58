"""Small visits for the tests of route: two views, a recipe, and the records that happen to them."""

from __future__ import annotations

from typing import Any

from linewarden_route.events import CaptureSeen, Context, DecisionSeen, InspectionSeen, Publish, Step
from linewarden_schemas.capture import Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.line import LineStateRef
from linewarden_schemas.recipe import Recipe, ReviewRules, Thresholds, TimeBudget, ViewSpec
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import LineMode, Role, Undecidable, Verdict

T0 = 1_700_000_000_000
SECRET = b"a secret of the tests"
BUNDLE = digest(b"bundle")
LIMITS = Thresholds(defect=0.5, suspicion=0.4)


def make_recipe(
    *,
    views: tuple[str, ...] = ("top", "side"),
    review: dict[str, Any] | None = None,
    time: dict[str, Any] | None = None,
    thresholds: Thresholds | None = None,
) -> Recipe:
    return Recipe(
        thresholds=thresholds,
        recipe_id="tile",
        version=1,
        product_id="tile",
        bundle_digest=BUNDLE,
        views=tuple(ViewSpec(view_id=view, camera_id=f"cam-{view}") for view in views),
        review=ReviewRules(**(review or {})),
        time=TimeBudget(**(time or {})),
        created_ms=T0,
        created_by="engineer",
    )


def make_capture(view: str = "top", visit: str = "v1", at_ms: int = T0, **more: Any) -> Capture:
    frame_id = more.pop("frame_id", f"{visit}.{view}")
    fields: dict[str, Any] = {
        "visit_id": visit,
        "frame_id": frame_id,
        "view_id": view,
        "line_id": "line1",
        "station_id": "s1",
        "camera_id": f"cam-{view}",
        "spool_epoch": 1,
        "sequence": 7,
        "captured_ms": at_ms,
        "decide_by_ms": at_ms + 10_000,
        "recipe": make_recipe().ref(),
        "line_state": LineStateRef(mode=LineMode.PRODUCTION, since_ms=T0),
        "sha256": None if more.get("lost") else digest(frame_id.encode()),
    }
    return Capture(**{**fields, **more})


def make_inspection(
    view: str = "top",
    visit: str = "v1",
    *,
    verdict: Verdict = Verdict.OK,
    suspicion: float = 0.1,
    at_ms: int = T0,
    undecidable: Undecidable | None = None,
    **more: Any,
) -> Inspection:
    decided = verdict is not Verdict.NOT_DECIDABLE
    frame_id = more.pop("frame_id", f"{visit}.{view}")
    fields: dict[str, Any] = {
        "frame_id": frame_id,
        "visit_id": visit,
        "view_id": view,
        "line_id": "line1",
        "camera_id": f"cam-{view}",
        "verdict": verdict,
        "undecidable": undecidable if decided else undecidable or Undecidable.UNREADABLE,
        "recipe": make_recipe().ref(),
        "frame_sha256": digest(frame_id.encode()),
        "code_version": "test",
        "source": SourceRef(topic="line1.frames", partition=0, offset=1),
        "captured_ms": at_ms,
        "decide_by_ms": at_ms + 10_000,
        "inspected_ms": at_ms,
    }
    if decided:
        fields |= {
            "p_defect": 0.9 if verdict is Verdict.NG else 0.05,
            "suspicion": suspicion,
            "thresholds": LIMITS,
            "bundle_digest": BUNDLE,
        }
    return Inspection(**{**fields, **more})


def make_decision(slot: str, judgement: str | None = "OK", actor: str = "ann", **more: Any) -> Decision:
    fields: dict[str, Any] = {
        "decision_id": more.pop("decision_id", f"d-{slot}-{actor}"),
        "slot_id": slot,
        "visit_id": slot.split(".r", maxsplit=1)[0],
        "judgement": judgement,
        "actor": actor,
        "role": Role.OPERATOR,
        "decided_ms": T0,
        "covers": ("v1.top", "v1.side"),
    }
    return Decision.model_validate({**fields, **more}, strict=False)


def captured(view: str = "top", append_ms: int = T0, **more: Any) -> CaptureSeen:
    return CaptureSeen(make_capture(view, **more), append_ms)


def inspected(view: str = "top", **more: Any) -> InspectionSeen:
    return InspectionSeen(make_inspection(view, **more), SourceRef(topic="line1.inspections", partition=0, offset=2))


def decided(slot: str, judgement: str | None = "OK", actor: str = "ann", **more: Any) -> DecisionSeen:
    return DecisionSeen(make_decision(slot, judgement, actor, **more))


def context(now_ms: int = T0, recipe: Recipe | None = None, *, known: bool = True) -> Context:
    return Context(now_ms=now_ms, recipe=(recipe or make_recipe()) if known else None, secret=SECRET)


def dispositions(step: Step) -> list[Disposition]:
    return [e.message for e in step.effects if isinstance(e, Publish) and isinstance(e.message, Disposition)]


def opens(step: Step) -> list[SlotOpen]:
    return [e.message for e in step.effects if isinstance(e, Publish) and isinstance(e.message, SlotOpen)]


def closes(step: Step) -> list[SlotClose]:
    return [e.message for e in step.effects if isinstance(e, Publish) and isinstance(e.message, SlotClose)]


def the(visit: VisitSnapshot | None) -> VisitSnapshot:
    assert visit is not None
    return visit
