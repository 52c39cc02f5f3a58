"""Which frames have evidence, by the log itself: this keeper may have saved it before it fell, or another ended it."""

from __future__ import annotations

from collections.abc import Collection

from linewarden_runtime.books import positions_of
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, RetentionOvertook
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.ids import Namespace

_POLL_S = 0.2


class Remembered(Bounded[str, None]):
    """The last frames whose evidence is known to lie in the log."""

    def add(self, frame_id: str) -> None:
        """Remember a frame, and forget the oldest where there are too many."""
        self[frame_id] = None

    def discard(self, frame_id: str) -> None:
        """Forget a frame, so that it is looked up or saved again; one that is not known is no error."""
        self.pop(frame_id, None)


class KeptEvidence:
    """Follows `evidence` where it is asked to; belongs to one thread.

    It begins at the end, since nothing is remembered then. A partition is read from its beginning, once, when something
    has to be known of it that may lie further back: pictures are large, so that is slow, and mostly not wanted.
    """

    def __init__(
        self, broker: Broker, namespace: Namespace, remembered: Remembered, clock: Clock, timeout_s: float
    ) -> None:
        self._topic = namespace.topic("evidence")
        self._remembered, self._clock, self._timeout_s = remembered, clock, timeout_s
        positions = positions_of(broker, self._topic)
        self._count = len(positions)
        self._reader = broker.reader(dict.fromkeys(positions, 0))
        self._whole: set[Position] = set()
        self._kept: set[str] = set()
        self._begin()

    def refresh(self, frame_ids: Collection[str]) -> None:
        """Of these, forget the remembered ones whose evidence has been ended.

        Raises:
            BrokerUnavailable: where the end is not reached in time; the next call goes on from there.
        """
        self._read_on(self._places(frame_ids))

    def among(self, frame_ids: Collection[str]) -> frozenset[str]:
        """Those of which there is evidence, whoever wrote it and when; raises as `refresh` does."""
        places = self._places(frame_ids)
        unread = places - self._whole
        if unread:
            for position, offset in self._reader.beginning_offsets(unread).items():
                self._reader.seek(position, offset)
            self._whole |= unread
        self._read_on(places)
        return frozenset(self._kept.intersection(frame_ids))

    def close(self) -> None:
        """Close the reader of `evidence`; nothing can be looked up any more."""
        self._reader.close()

    def _places(self, frame_ids: Collection[str]) -> set[Position]:
        return {Position(self._topic, partition_of(one, self._count)) for one in frame_ids}

    def _begin(self) -> None:
        """Know nothing, and stand at the end."""
        self._remembered.clear()
        self._whole.clear()
        self._kept.clear()
        for position, end in self._reader.end_offsets(self._reader.assignment()).items():
            self._reader.seek(position, end)

    def _read_on(self, positions: Collection[Position]) -> None:
        if not positions:
            return
        ends = self._reader.end_offsets(positions)
        if any(self._reader.position(position) > end for position, end in ends.items()):
            self._begin()  # the topic was made anew
            raise BrokerUnavailable(f"{self._topic} ends before what was read of it, and is looked at again")
        self._reader.pause(self._reader.assignment() - set(positions))
        self._reader.resume(positions)
        deadline = self._clock.monotonic() + self._timeout_s
        while any(self._reader.position(position) < end for position, end in ends.items()):
            for record in self._poll():
                self._learn(record)
            if self._clock.monotonic() > deadline:
                raise BrokerUnavailable(f"{self._topic} is not read to its end yet")

    def _poll(self) -> list[InRecord]:
        try:
            return self._reader.poll(_POLL_S)
        except RetentionOvertook as overtaken:
            self._reader.seek(overtaken.position, overtaken.earliest)
            return []

    def _learn(self, record: InRecord) -> None:
        frame_id = (record.key or b"").decode(errors="replace")
        if record.value is None:
            self._remembered.discard(frame_id)
            self._kept.discard(frame_id)
        elif record.position in self._whole:
            self._kept.add(frame_id)
