"""What a message adds to the index, as statements with their values; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linewarden_history.index import schema
from linewarden_history.maps import digest_of
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.decision import Decision, QueueEvent
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.escape import Escape
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.operations import Actuation, DeadLetter
from linewarden_schemas.vocabulary import Act

TOPICS = (
    "captures", "inspections", "dispositions", "reinspections",
    "decisions", "queue-events", "actuations", "dead-letters", "escapes",
)  # fmt: skip
"""What an index follows; pictures stay where they are."""

Statement = tuple[str, dict[str, Any]]
_NOT_KEPT = {"maps": True, "marks": True, "value": True, "headers": True, "key": True}


def statements_of(record: InRecord, logical: str, message: Message) -> list[Statement]:
    """Statements for one record of the topic `logical`; none for a message that is about no visit and no part."""
    if isinstance(message, Escape):
        return [(schema.ESCAPE, _escape(message) | {"partition": record.partition, "offset": record.offset})]
    told = _TOLD.get(type(message))
    if told is None:
        return []
    kind, at_ms, actor, facts = told(message)
    visit_id = getattr(message, "visit_id", None)
    if visit_id is None:
        return []
    entry = {
        "visit_id": visit_id,
        "topic": logical,
        "partition": record.partition,
        "offset": record.offset,
        "at_ms": at_ms,
        "kind": kind,
        "actor": actor,
        "told": message.model_dump_json(exclude_none=True, exclude=_NOT_KEPT),
    }
    place = {"partition": record.partition, "offset": record.offset}
    return [
        *((sql, values | place if sql == schema.ANSWER else values) for sql, values in facts),
        (schema.ENTRY, entry),
    ]


Told = tuple[str, int, str | None, list[Statement]]


def _capture(capture: Capture) -> Told:
    back = capture.returned
    visit = _visit(capture.visit_id, capture.line_id, capture.recipe, capture.captured_ms) | {
        "station_id": capture.station_id,
        "part_id": capture.part_id,
        "lot_id": capture.lot_id,
        "product_id": capture.product_id,
        "mode": capture.line_state.mode.value,
        "known_bad": capture.known_bad,
        "returned_from": None if back is None else back.previous_visit_id,
        "simulated": capture.is_simulated,
    }
    frame = _frame(capture) | {"lost": None if capture.lost is None else capture.lost.value, "sha256": capture.sha256}
    return "captured", capture.captured_ms, None, [(schema.VISIT, visit), (schema.FRAME, frame)]


def _inspection(one: Inspection) -> Told:
    visit = _visit(one.visit_id, one.line_id, one.recipe, one.captured_ms) | {"simulated": one.is_simulated}
    answer = {
        "visit_id": one.visit_id,
        "frame_id": one.frame_id,
        "verdict": one.verdict.value,
        "undecidable": None if one.undecidable is None else one.undecidable.value,
        "doubtful": one.is_doubtful,
        "p_defect": one.p_defect,
        "suspicion": one.suspicion,
        "bundle": one.bundle_digest,
        "device": one.device,
        "code": one.code_version,
        "maps": digest_of(one.maps),
    }
    frame = _frame(one) | {"lost": None, "sha256": one.frame_sha256}
    facts: list[Statement] = [(schema.VISIT, visit), (schema.FRAME, frame), (schema.ANSWER, answer)]
    return "inspected", one.inspected_ms, None, facts


def _disposition(one: Disposition) -> Told:
    visit = _visit(one.visit_id, one.line_id, one.recipe, one.first_captured_ms) | {
        "station_id": one.station_id,
        "part_id": one.part_id,
        "lot_id": one.lot_id,
        "product_id": one.product_id,
        "mode": None if one.line_state is None else one.line_state.mode.value,
        "returned_from": one.returned_from,
        "simulated": one.is_simulated,
    }
    state = {
        "visit_id": one.visit_id,
        "revision": one.revision,
        "routing": one.routing.value,
        "causes": " ".join(cause.value for cause in one.causes),
        "outcome": None if one.outcome is None else one.outcome.value,
        "final": one.final,
    }
    kind = "routed" if one.revision == 0 else "revised"
    actor = one.actors[-1] if one.actors else None
    facts = [(schema.VISIT, visit), (schema.FIRST_ROUTING, state), (schema.LATEST, state)]
    return kind, one.decided_ms, actor, facts


def _visit(visit_id: str, line_id: str, recipe: RecipeRef, captured_ms: int) -> dict[str, Any]:
    unknown = dict.fromkeys(
        ("station_id", "part_id", "lot_id", "product_id", "mode", "known_bad", "returned_from", "simulated")
    )
    return unknown | {
        "visit_id": visit_id,
        "line_id": line_id,
        "recipe": recipe_key(recipe.recipe_id, recipe.version),
        "recipe_id": recipe.recipe_id,
        "recipe_digest": recipe.digest,
        "captured_ms": captured_ms,
    }


def _frame(of: Capture | Inspection) -> dict[str, Any]:
    return {"visit_id": of.visit_id, "frame_id": of.frame_id, "view_id": of.view_id, "camera_id": of.camera_id}


def _escape(one: Escape) -> dict[str, Any]:
    return {
        "escape_id": one.escape_id,
        "part_id": one.part_id,
        "visit_id": one.visit_id,
        "withdrawn": one.withdrawn,
        "told": one.model_dump_json(exclude_none=True),
    }


def _judged(one: Decision) -> Told:
    return ("judged" if one.act is Act.JUDGE else "undone"), one.decided_ms, one.actor, []


_TOLD: dict[type[Message], Callable[[Any], Told]] = {
    Capture: _capture,
    Inspection: _inspection,
    Disposition: _disposition,
    Decision: _judged,
    SlotOpen: lambda one: ("asked", one.opened_ms, None, []),
    SlotClose: lambda one: ("closed", one.closed_ms, one.actor, []),
    QueueEvent: lambda one: (one.event, one.at_ms, one.actor, []),
    Actuation: lambda one: ("actuated", one.at_ms, None, []),
    DeadLetter: lambda one: ("dead-lettered", one.at_ms, None, []),
}
