"""A stretch of a topic, read outside any group; nothing is ever committed."""

from __future__ import annotations

from collections.abc import Iterator

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord
from linewarden_schemas.inspection import SourceRef


def records_since(broker: Broker, topic: str, from_ms: int) -> Iterator[InRecord]:
    """Records written from a time on, up to the end as it is now. Whatever was captured later was written later."""
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


def source_of(record: InRecord) -> SourceRef:
    """Where a record lies."""
    return SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)


def _seek(reader: Reader, from_ms: int) -> None:
    places = reader.assignment()
    ends = reader.end_offsets(places)
    firsts = reader.offsets_for_times(dict.fromkeys(places, from_ms))
    for place in places:
        first = firsts.get(place)
        reader.seek(place, ends[place] if first is None else first)
