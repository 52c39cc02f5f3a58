"""A shift written by hand: visits of one view, each taken to a chosen end."""

from __future__ import annotations

from typing import Any

from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotClose, SlotFrame, SlotOpen, ViewResult
from linewarden_schemas.ids import frame_id, slot_id, visit_id
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.recipe import Recipe, Thresholds, ViewSpec
from linewarden_schemas.vocabulary import (
    Cause,
    CloseReason,
    Judgement,
    LineMode,
    Loss,
    Outcome,
    Role,
    Routing,
    Undecidable,
    Verdict,
)

AT = 1_764_000_000_000
BUDGET = 10_000
RECIPE = RecipeRef(recipe_id="bracket", version=1)
SHA = "a" * 64
LIMITS = Thresholds(defect=0.5, suspicion=0.6)


def recipe(*views: str) -> Recipe:
    """The recipe that every visit here names."""
    return Recipe(
        recipe_id=RECIPE.recipe_id,
        version=RECIPE.version,
        product_id="bracket",
        bundle_digest=SHA,
        views=tuple(ViewSpec(view_id=view, camera_id="cam1") for view in views or ("top",)),
        created_ms=AT,
        created_by="anna",
    )


def visit(number: int) -> str:
    return visit_id("line1", "st1", AT + number, number)


def frame(number: int) -> str:
    return frame_id(visit(number), "top", 1, number)


def capture(number: int, *, lost: Loss | None = None, **changes: Any) -> Capture:
    fields: dict[str, Any] = {
        "visit_id": visit(number),
        "frame_id": frame(number),
        "view_id": "top",
        "line_id": "line1",
        "station_id": "st1",
        "camera_id": "cam1",
        "spool_epoch": 1,
        "sequence": number,
        "captured_ms": AT + number,
        "decide_by_ms": AT + number + BUDGET,
        "recipe": RECIPE,
        "line_state": LineStateRef(mode=LineMode.PRODUCTION, since_ms=AT),
        "sha256": None if lost else SHA,
        "lost": lost,
    }
    return Capture(**(fields | changes))


def heartbeat(last: int) -> CameraHeartbeat:
    return CameraHeartbeat(
        line_id="line1", station_id="st1", camera_id="cam1", spool_epoch=1, last_sequence=last, at_ms=AT + last
    )


def inspection(
    number: int, *, p: float = 0.1, suspicion: float = 0.1, undecidable: Undecidable | None = None, **changes: Any
) -> Inspection:
    verdict = Verdict.NOT_DECIDABLE if undecidable else Verdict.NG if p > LIMITS.defect else Verdict.OK
    scores = {} if undecidable else {"p_defect": p, "suspicion": suspicion, "thresholds": LIMITS, "bundle_digest": SHA}
    fields: dict[str, Any] = {
        "frame_id": frame(number),
        "visit_id": visit(number),
        "view_id": "top",
        "line_id": "line1",
        "camera_id": "cam1",
        "verdict": verdict,
        "undecidable": undecidable,
        "recipe": RECIPE,
        "frame_sha256": SHA,
        "code_version": "0",
        "source": SourceRef(topic="line1.frames", partition=0, offset=number),
        "captured_ms": AT + number,
        "decide_by_ms": AT + number + BUDGET,
        "inspected_ms": AT + number + 100,
    }
    return Inspection(**(fields | scores | changes))


def disposition(
    number: int, routing: Routing, *causes: Cause, revision: int = 0, final: bool = True, **changes: Any
) -> Disposition:
    fields: dict[str, Any] = {
        "visit_id": visit(number),
        "revision": revision,
        "routing": routing,
        "causes": causes,
        "final": final,
        "views": (told(inspection(number)),),
        "line_id": "line1",
        "recipe": RECIPE,
        "first_captured_ms": AT + number,
        "decide_by_ms": AT + number + BUDGET,
        "decided_ms": AT + number + 200,
    }
    return Disposition(**(fields | changes))


def told(of: Inspection) -> ViewResult:
    """What a disposition says of an inspected view."""
    return ViewResult(
        view_id=of.view_id,
        frame_id=of.frame_id,
        verdict=of.verdict,
        undecidable=of.undecidable,
        p_defect=of.p_defect,
        suspicion=of.suspicion,
    )


def decision(number: int, judgement: Judgement | None = Judgement.OK, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "decision_id": f"d{number}",
        "slot_id": slot_id(visit(number), 0, 0),
        "visit_id": visit(number),
        "judgement": judgement,
        "actor": "anna",
        "role": Role.OPERATOR,
        "decided_ms": AT + number + 4_900,
        "covers": (frame(number),),
    }
    return Decision(**(fields | changes))


def slot_open(
    number: int, generation: int = 0, cause: Cause = Cause.LOW_TRUST, shown: tuple[tuple[str, str], ...] = ()
) -> SlotOpen:
    """A request to look at the visit's frame, and at others that are `shown` (frame, view)."""
    frames = ((frame(number), "top"), *shown)
    return SlotOpen(
        slot_id=slot_id(visit(number), 0, generation),
        visit_id=visit(number),
        round=0,
        generation=generation,
        causes=(cause,),
        risk=0.5,
        opened_ms=AT + number + 200,
        due_ms=AT + number + 60_000,
        line_id="line1",
        recipe=RECIPE,
        frames=tuple(SlotFrame(frame_id=name, view_id=view, doubtful=True) for name, view in frames),
    )


def slot_close(number: int, at_ms: int, generation: int = 0) -> SlotClose:
    return SlotClose(
        slot_id=slot_id(visit(number), 0, generation),
        visit_id=visit(number),
        reason=CloseReason.DECIDED,
        closed_ms=at_ms,
        decision_id=f"d{number}",
        actor="anna",
    )


def passed(number: int) -> list[Message]:
    return [capture(number), inspection(number), disposition(number, Routing.TRUSTED_PASS)]


def rejected(number: int) -> list[Message]:
    found = inspection(number, p=0.9)
    return [capture(number), found, disposition(number, Routing.REJECTED, views=(told(found),))]


def diverted(number: int, **changes: Any) -> Disposition:
    """A first routing for low trust, or a later one of that visit."""
    views = (told(inspection(number, suspicion=0.9)),)
    fields: dict[str, Any] = {"final": False, "views": views}
    return disposition(number, Routing.DIVERTED, Cause.LOW_TRUST, **(fields | changes))


def waiting(number: int) -> list[Message]:
    return [capture(number), inspection(number, suspicion=0.9), diverted(number), slot_open(number)]


def outcome(number: int) -> Disposition:
    """What `decision` comes to."""
    fields: dict[str, Any] = {"outcome": Outcome.ACCEPT, "decision_ids": (f"d{number}",), "actors": ("anna",)}
    return diverted(number, revision=1, final=True, **fields)


def decided(number: int) -> list[Message]:
    return [*waiting(number), decision(number), slot_close(number, AT + number + 5_000), outcome(number)]


def lost_picture(number: int) -> list[Message]:
    late = disposition(number, Routing.DIVERTED, Cause.FAULT, final=False, views=(ViewResult(view_id="top"),))
    return [capture(number, lost=Loss.OVERSIZE), late, slot_open(number, cause=Cause.FAULT)]


def in_flight(number: int) -> list[Message]:
    return [capture(number)]
