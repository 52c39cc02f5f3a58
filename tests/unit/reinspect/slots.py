"""Slots and records of them, as route writes them."""

from __future__ import annotations

from typing import Any

from linewarden_domain.words import said, sentences
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition, SlotClose, SlotFrame, SlotOpen
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import digest, frame_id, slot_id, visit_id
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.vocabulary import Cause, CloseReason, LineMode, Outcome, Routing

AT = 1_764_000_000_000
PARTITIONS = 4
TOPIC = "line1.reinspections"

WHY = said("view_suspicion", view="top", suspicion=0.7)


def opened(counter: int = 0, *, line: str = "line1", generation: int = 0, **more: Any) -> SlotOpen:
    visit = visit_id(line, "st1", AT, counter)
    frame = frame_id(visit, "top", 1, counter)
    values: dict[str, Any] = {
        "slot_id": slot_id(visit, 0, generation),
        "visit_id": visit,
        "round": 0,
        "generation": generation,
        "causes": (Cause.LOW_TRUST,),
        **sentences((WHY,)),
        "risk": 0.7,
        "opened_ms": AT + counter,
        "due_ms": AT + 60_000 + counter,
        "line_id": line,
        "recipe": RecipeRef(recipe_id="bracket", version=3),
        "frames": (SlotFrame(frame_id=frame, view_id="top", doubtful=True, sha256=digest(frame.encode())),),
    }
    return SlotOpen(**values | more)


def routed(slot: SlotOpen, *, final: bool = False, **more: Any) -> Disposition:
    """What route says of the slot's visit: withheld, or with `final` accepted in the end."""
    values: dict[str, Any] = {
        "visit_id": slot.visit_id,
        "revision": 1 if final else 0,
        "routing": Routing.DIVERTED,
        "outcome": Outcome.ACCEPT if final else None,
        "final": final,
        "causes": slot.causes,
        "reasons": slot.reasons,
        "reasons_coded": slot.reasons_coded,
        "line_id": slot.line_id,
        "part_id": slot.part_id,
        "recipe": slot.recipe,
        "line_state": LineStateRef(mode=LineMode.PRODUCTION, since_ms=AT - 60_000, shift="early"),
        "first_captured_ms": slot.opened_ms - 1000,
        "decide_by_ms": slot.opened_ms + 10_000,
        "decided_ms": slot.opened_ms,
    }
    return Disposition(**values | more)


def closed(slot: SlotOpen, reason: CloseReason = CloseReason.DECIDED) -> SlotClose:
    return SlotClose(slot_id=slot.slot_id, visit_id=slot.visit_id, reason=reason, closed_ms=AT)


def disposition_record(message: Disposition, topic: str, partitions: int = PARTITIONS) -> OutRecord:
    key = f"{message.visit_id}.{message.revision}"
    return _record(message, key, partition_of(message.visit_id, partitions), topic)


def record(message: SlotOpen | SlotClose, partitions: int = PARTITIONS, topic: str = TOPIC) -> OutRecord:
    return _record(message, message.slot_id, partition_of(message.visit_id, partitions), topic)


def tombstone(slot: SlotOpen, partitions: int = PARTITIONS, topic: str = TOPIC) -> OutRecord:
    return OutRecord(topic, slot.slot_id.encode(), None, (), partition_of(slot.visit_id, partitions))


def _record(message: Message, key: str, partition: int, topic: str) -> OutRecord:
    encoded = encode(message, id=key, source="/line1/route", time_ms=AT)
    return OutRecord(topic, key.encode(), encoded.value, encoded.headers, partition)
