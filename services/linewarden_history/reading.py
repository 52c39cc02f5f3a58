"""A stretch of a topic, read outside any group; nothing is ever committed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.recipe import TimeBudget

SLACK_MS = TimeBudget().spool_horizon_ms
"""How far a camera's clock may be from the broker's append time for its records to be found: a spool's horizon."""

_POLL_S = 0.5
_IDLE_POLLS = 60


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
    idle = 0
    while any(reader.position(position) < end for position, end in ends.items()):
        records = reader.poll(_POLL_S)
        idle = 0 if records else idle + 1
        if idle > _IDLE_POLLS:
            raise BrokerUnavailable(f"no records for {idle * _POLL_S:.0f} s before {dict(ends)}")
        yield from (record for record in records if record.offset < ends[record.position])


def source_of(record: InRecord) -> SourceRef:
    """Where a record lies."""
    return SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)


def _seek(reader: Reader, from_ms: int) -> None:
    places = reader.assignment()
    ends = reader.end_offsets(places)
    firsts = reader.offsets_for_times(dict.fromkeys(places, max(0, from_ms - SLACK_MS)))
    for place in places:
        first = firsts.get(place)
        reader.seek(place, ends[place] if first is None else first)
