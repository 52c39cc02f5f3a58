"""From the topics to a store of visits: one record in memory at a time, nothing committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from linewarden_history.escapes import EscapeBook
from linewarden_history.reading import Looked, WrittenAt, place, records_since, visit_of
from linewarden_history.reports.store import Numbering, VisitStore
from linewarden_history.reports.story import VisitHistory, tell
from linewarden_history.selection import Selection
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import Balance, DeadLetter
from linewarden_schemas.vocabulary import Verdict

SLACK_MS = 600_000
"""Views of a visit lie no farther apart, so that a visit at the edge is whole."""


@dataclass(slots=True)
class UnreadableRecords:
    """Records that are none of ours: how many, and where the first of them lie."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        """Count a record, and name its place while few are named."""
        self.count += 1
        if len(self.places) < 100:
            self.places.append(place)


def gather(
    broker: Broker,
    namespace: Namespace,
    stretch: Selection,
    store: VisitStore,
    looked: Looked = lambda *_: None,
    before: Balance | None = None,
) -> tuple[UnreadableRecords, int]:
    """Put everything about the visits of a stretch into the store, also what the field reported of them since.

    Returns what could not be read, and how many escapes are reported, of whatever part. Cameras' numbers go on from
    those of the period `before`, where it is given.

    Raises:
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    unreadable = UnreadableRecords()
    book = EscapeBook(messages(broker, namespace.topic("escapes"), 0, unreadable.add, looked))
    numbering = Numbering(stretch, store, before)
    # effects before causes: while a line runs, whatever was answered has its capture in what is read after it
    for name in ("dispositions", "decisions", "inspections", "dead-letters", "reinspections", "captures"):
        from_ms = numbering.from_ms if name == "captures" else stretch.from_ms
        for message, record in placed(broker, namespace.topic(name), from_ms - SLACK_MS, unreadable.add, looked):
            if isinstance(message, Capture | CameraHeartbeat):
                numbering.learn(message)
            _keep(message, stretch, store, record)
            book.learn(message)
    escapes = list(book.matched())
    for visit_id, escape in escapes:
        if visit_id is not None:
            store.put(visit_id, escape)
    return unreadable, len(escapes)


def tell_visits(store: VisitStore, stretch: Selection) -> Iterator[VisitHistory]:
    """Visits of the stretch, one at a time; of those that no capture, inspection or routing names nothing is told."""
    for visit_id, found, written in store.visits():
        story = tell(visit_id, found, written)
        at_ms, line_id = story.captured_ms, story.line_id
        if at_ms is not None and line_id is not None and stretch.holds(line_id, at_ms):
            yield story


def messages(
    broker: Broker, topic: str, from_ms: int, unreadable: Callable[[str], None], looked: Looked = lambda *_: None
) -> Iterator[Message]:
    """Messages of a topic written from a time on, without tombstones; `unreadable` hears the place of what is none."""
    for message, _ in placed(broker, topic, from_ms, unreadable, looked):
        yield message


def placed(
    broker: Broker, topic: str, from_ms: int, unreadable: Callable[[str], None], looked: Looked = lambda *_: None
) -> Iterator[tuple[Message, InRecord]]:
    """As `messages`, each with its record."""
    for count, record in enumerate(records_since(broker, topic, max(0, from_ms)), start=1):
        looked(topic, count)
        if record.value is None:
            continue
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError:
            unreadable(place(record))
        else:
            yield message, record


def _keep(message: Message, stretch: Selection, store: VisitStore, record: InRecord) -> None:
    written = WrittenAt.of(record)
    match message:
        case Capture() | Inspection() | Disposition():
            at_ms = message.first_captured_ms if isinstance(message, Disposition) else message.captured_ms
            in_time = stretch.from_ms - SLACK_MS <= at_ms <= stretch.to_ms + SLACK_MS
            if in_time and stretch.line_id in {None, message.line_id}:
                store.put(message.visit_id, _lighter(message) if isinstance(message, Inspection) else message, written)
        case Decision() | SlotOpen() | SlotClose():
            store.put(message.visit_id, message, written)
        case DeadLetter():
            told = tuple(header for header in message.headers if header[0] == "ce_id")
            store.put(visit_of(message) or "", message.model_copy(update={"value": None, "headers": told}))
        case _:
            pass


def _lighter(inspection: Inspection) -> Inspection:
    """Without heatmaps; the mask stays where it says where a defect lies."""
    maps = inspection.maps
    if maps is None:
        return inspection
    if inspection.verdict is not Verdict.NG:
        return inspection.model_copy(update={"maps": None})
    empty = {"class_specific_png": b"", "class_agnostic_png": b""}
    return inspection.model_copy(update={"maps": maps.model_copy(update=empty)})
