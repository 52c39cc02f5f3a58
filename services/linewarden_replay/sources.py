"""Where recorded frames come from: the live topic, or whatever else keeps its records as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from linewarden_runtime.books import positions_of
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.ids import Namespace

SEGMENT_RECORDS = 2_000
"""Offsets in one segment of a live topic: some hundred MB of pictures, and what is done again after an interruption."""
_POLL_S = 0.5
_IDLE_POLLS = 60


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """Records of one partition of `frames`: offsets from `first` up to, not including, `end`."""

    partition: int
    first: int
    end: int

    @property
    def name(self) -> str:
        """A file's name, unique within a source."""
        return f"{self.partition:04d}-{self.first:012d}-{self.end:012d}"


class FrameSource(Protocol):
    """Frame records as they lay in the log: partition, offset, headers and value untouched.

    `topic` is the physical name of the live topic, also where the records lie elsewhere.
    """

    topic: str

    def segments(self, from_ms: int, to_ms: int) -> Sequence[Segment]:
        """Segments that hold every frame captured in the range (epoch ms, both included), others perhaps too.

        Disjoint, in the order of partition and offset. Asked again later, it may answer otherwise.
        """
        ...

    def read(self, segment: Segment) -> Iterator[InRecord]:
        """Records of any stretch of offsets that `segments` once covered, in offset order; again at every call.

        What was taken away since is left out. Raises what tells that a record is damaged rather than passing it on.
        """
        ...


class LiveFrames:
    """The live topic, read by assign(); nothing is ever committed."""

    def __init__(self, broker: Broker, live: Namespace, segment_records: int = SEGMENT_RECORDS) -> None:
        self.topic = live.topic("frames")
        self._broker, self._size = broker, segment_records

    def segments(self, from_ms: int, to_ms: int) -> list[Segment]:  # noqa: ARG002 - a spool may send any time later
        """Everything written from `from_ms` on: whatever was captured then was written later."""
        places = positions_of(self._broker, self.topic)
        with self._broker.reader(dict.fromkeys(places, 0)) as reader:
            ends = reader.end_offsets(places)
            firsts = reader.offsets_for_times(dict.fromkeys(places, from_ms))
        found: list[Segment] = []
        for place in sorted(places):
            first = firsts.get(place)
            found += _cut(place.partition, ends[place] if first is None else first, ends[place], self._size)
        return found

    def read(self, segment: Segment) -> Iterator[InRecord]:
        """Records of a segment; raises BrokerUnavailable where its end is not reached although nothing arrives."""
        place = Position(self.topic, segment.partition)
        with self._broker.reader({place: segment.first}) as reader:
            reader.seek(place, max(segment.first, reader.beginning_offsets([place])[place]))
            yield from _until(reader, place, segment.end)


def _cut(partition: int, first: int, end: int, size: int) -> list[Segment]:
    return [Segment(partition, begin, min(begin + size, end)) for begin in range(first, end, size)]


def _until(reader: Reader, place: Position, end: int) -> Iterator[InRecord]:
    idle = 0
    while reader.position(place) < end:
        records = reader.poll(_POLL_S)
        idle = 0 if records else idle + 1
        if idle > _IDLE_POLLS:
            raise BrokerUnavailable(f"no records for {idle * _POLL_S:.0f} s before offset {end} of {place.topic}")
        for record in records:
            if record.offset >= end:
                return
            yield record
