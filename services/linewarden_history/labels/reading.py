"""What the topics hold of decisions, dispositions, inspections and evidence, as far as labels need it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from linewarden_history.reading import records_since
from linewarden_history.selection import Selection
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Evidence, Inspection

from .choosing import Told, tell

Looked = Callable[[str, int], None]
"""Hears the topic that is read, and how many records of it were."""


def read_told(
    broker: Broker, namespace: Namespace, selection: Selection, looked: Looked, unreadable: list[str]
) -> list[Told]:
    """Visits first captured in the selection, with what counted of their decisions."""
    first: dict[str, Disposition] = {}
    latest: dict[str, Disposition] = {}
    for message in _messages(broker, namespace.topic("dispositions"), selection.from_ms, looked, unreadable):
        if isinstance(message, Disposition) and selection.holds(message.line_id, message.first_captured_ms):
            if message.revision == 0:
                first.setdefault(message.visit_id, message)
            known = latest.get(message.visit_id)
            if known is None or known.revision < message.revision:
                latest[message.visit_id] = message
    decisions: dict[str, Decision] = {}
    for message in _messages(broker, namespace.topic("decisions"), selection.from_ms, looked, unreadable):
        if isinstance(message, Decision) and message.visit_id in latest:
            decisions.setdefault(message.decision_id, message)
    return tell(first, latest, decisions)


def read_inspections(
    broker: Broker,
    namespace: Namespace,
    selection: Selection,
    frames: Collection[str],
    looked: Looked,
    unreadable: list[str],
) -> dict[str, Inspection]:
    """The first inspection of each of these frames."""
    found: dict[str, Inspection] = {}
    for message in _messages(broker, namespace.topic("inspections"), selection.from_ms, looked, unreadable):
        if isinstance(message, Inspection) and message.frame_id in frames:
            found.setdefault(message.frame_id, message)
    return found


def read_evidence(
    broker: Broker, namespace: Namespace, frames: Collection[str], looked: Looked, unreadable: list[str]
) -> Iterator[Evidence]:
    """Evidence of these frames that holds a picture, in the topic's order: of several the last counts."""
    for message in _messages(broker, namespace.topic("evidence"), 0, looked, unreadable):
        if isinstance(message, Evidence) and message.frame_id in frames and message.picture is not None:
            yield message


def _messages(broker: Broker, topic: str, from_ms: int, looked: Looked, unreadable: list[str]) -> Iterator[Message]:
    for count, record in enumerate(records_since(broker, topic, from_ms), start=1):
        looked(topic, count)
        message = _read(record, unreadable)
        if message is not None:
            yield message


def _read(record: InRecord, unreadable: list[str]) -> Message | None:
    """None for a tombstone, and for what is none of ours, whose place is told."""
    if record.value is None:
        return None
    try:
        return decode(record.headers, record.value).message
    except EnvelopeError:
        unreadable.append(f"{record.topic}[{record.partition}]@{record.offset}")
        return None
