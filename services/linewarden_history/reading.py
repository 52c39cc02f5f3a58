"""A stretch of a topic, read outside any group; nothing is ever committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from linewarden_runtime.books import positions_of, read_to_end, read_until
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.recipe import TimeBudget

SLACK_MS = TimeBudget().spool_horizon_ms
"""How far a camera's clock may be from the broker's append time for its records to be found: a spool's horizon."""

Looked = Callable[[str, int], None]
"""Hears the topic that is read, and how many records of it were."""


@dataclass(frozen=True, slots=True)
class WrittenAt:
    """Where a record lies, and when it was written (epoch ms); None where that is not known."""

    offset: int = 0
    at_ms: int | None = None
    place: str = ""

    @classmethod
    def of(cls, record: InRecord) -> WrittenAt:
        """Where this record lies, and when the broker or its writer says that it was written."""
        return cls(record.offset, record.timestamp_ms, place(record))


def place(at: InRecord | SourceRef) -> str:
    """Where a record lies, in words: `topic[partition]@offset`."""
    return f"{at.topic}[{at.partition}]@{at.offset}"


def visit_of(message: Message) -> str | None:
    """The visit that a message is about; None where it names none."""
    named: str | None = getattr(message, "visit_id", None)
    if named is None and isinstance(message, DeadLetter) and message.source.topic.endswith(".frames") and message.key:
        return message.key.decode(errors="replace")  # its headers could not be read; the key is the visit
    return named


def records_since(broker: Broker, topic: str, from_ms: int) -> Iterator[InRecord]:
    """Records that may have been captured from a time on, up to the end as it is now; earlier ones are among them.

    The broker's index goes by append time. What was captured later was appended later, however long a spool kept it;
    but a camera's clock may be ahead, so reading begins a spool's horizon before. Whoever selects by time looks into
    the record.
    """
    positions = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        _seek(reader, from_ms)
        yield from read_to_end(reader)


def count_since(broker: Broker, topic: str, from_ms: int) -> int:
    """About how many records `records_since` would give: offsets, markers among them."""
    positions = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        _seek(reader, from_ms)
        ends = reader.end_offsets(positions)
        return sum(max(0, ends[place] - reader.position(place)) for place in positions)


def records_between(reader: Reader, ends: Mapping[Position, int]) -> Iterator[InRecord]:
    """Records from where the reader stands to before the given offsets.

    Raises:
        BrokerUnavailable: when they are not reached although nothing arrives any more.
    """
    yield from (record for record in read_until(reader, ends) if record.offset < ends[record.position])


def source_of(record: InRecord) -> SourceRef:
    """Where a record lies, as other records name it."""
    return SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)


def _seek(reader: Reader, from_ms: int) -> None:
    places = reader.assignment()
    ends = reader.end_offsets(places)
    firsts = reader.offsets_for_times(dict.fromkeys(places, max(0, from_ms - SLACK_MS)))
    for place in places:
        first = firsts.get(place)
        reader.seek(place, ends[place] if first is None else first)
