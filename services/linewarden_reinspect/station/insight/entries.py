"""From records of the topics to entries of the history."""

from __future__ import annotations

from dataclasses import dataclass

from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision, QueueEvent
from linewarden_schemas.disposition import SlotClose, SlotOpen


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """Something that happened to a slot, and where its record lies. Times are epoch ms."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    kind: str
    actor: str = ""
    role: str = ""
    visit_id: str = ""
    slot_id: str = ""
    decision_id: str = ""
    judgement: str = ""
    first_judgement: str = ""
    undoes: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """What was known of a slot when it was opened, or opened anew with more frames."""

    slot_id: str
    visit_id: str
    line_id: str
    part_id: str
    review_round: int
    generation: int
    causes: str
    opened_ms: int


def entries_of(record: InRecord, message: Message) -> list[HistoryEvent | Slot]:
    """What a record adds to the history; nothing for a message of another kind."""
    if isinstance(message, SlotOpen):
        return [_slot(message), _opened(record, message)]
    if isinstance(message, SlotClose):
        return [_closed(record, message)]
    if isinstance(message, Decision):
        return [_decided(record, message)]
    if isinstance(message, QueueEvent):
        return [_queued(record, message)]
    return []


def _slot(slot: SlotOpen) -> Slot:
    causes = " ".join(cause.value for cause in slot.causes)
    known = (slot.slot_id, slot.visit_id, slot.line_id, slot.part_id or "")
    return Slot(*known, slot.round, slot.generation, causes, slot.opened_ms)


def _opened(record: InRecord, slot: SlotOpen) -> HistoryEvent:
    detail = f"for {slot.skill.value}: {', '.join(cause.value for cause in slot.causes)}"
    return HistoryEvent(
        *_place(record), slot.opened_ms, "opened", "route", "", slot.visit_id, slot.slot_id, detail=detail
    )


def _closed(record: InRecord, close: SlotClose) -> HistoryEvent:
    detail = ": ".join(part for part in (close.reason.value, close.detail) if part)
    place = _place(record)
    return HistoryEvent(*place, close.closed_ms, "closed", "route", "", close.visit_id, close.slot_id, detail=detail)


def _decided(record: InRecord, decision: Decision) -> HistoryEvent:
    facts = {
        "outcome": decision.outcome,
        "concession": decision.concession,
        "class": decision.defect_class,
        "pictures shown": len(decision.shown) or None,
        "comment": decision.comment,
    }
    return HistoryEvent(
        *_place(record),
        decision.decided_ms,
        decision.act.value,
        decision.actor,
        decision.role.value,
        decision.visit_id,
        decision.slot_id,
        decision.decision_id,
        "" if decision.judgement is None else decision.judgement.value,
        "" if decision.first_judgement is None else decision.first_judgement.value,
        decision.undoes or "",
        "; ".join(f"{name} {value}" for name, value in facts.items() if value is not None),
    )


def _queued(record: InRecord, event: QueueEvent) -> HistoryEvent:
    place, detail = _place(record), event.cause or ""
    return HistoryEvent(*place, event.at_ms, event.event, event.actor, "", event.visit_id, event.slot_id, detail=detail)


def _place(record: InRecord) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset
