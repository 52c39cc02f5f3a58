"""One record by its place in the log, read outside any group."""

from __future__ import annotations

from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, RetentionOvertook
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.inspection import SourceRef

_POLL_S = 0.2
_READ_THROUGH = 64


class Gone(Exception):
    """The record does not exist any more, or never did; the text says why."""


class RecordFetcher:
    """Keeps one reader a topic, of which one partition is read at a time; belongs to one thread.

    Slots are opened in the order of their frames, so what is wanted next mostly lies a little ahead: then records are
    read through, since a seek throws away what was fetched.
    """

    def __init__(self, broker: Broker, clock: Clock, timeout_s: float) -> None:
        self._broker, self._clock, self._timeout_s = broker, clock, timeout_s
        self._readers: dict[str, Reader] = {}

    def fetch(self, source: SourceRef) -> InRecord:
        """The record at `source`.

        Raises:
            Gone: where it lies below the oldest or beyond the newest record kept, or was never committed.
            BrokerUnavailable: where it should be there and does not come in time.
        """
        position = Position(source.topic, source.partition)
        try:
            return self._read(self._reader(position), position, source.offset)
        except ConfigurationError as error:
            raise Gone(f"{source.topic}[{source.partition}] does not exist") from error
        except RetentionOvertook as error:
            raise Gone(f"offset {source.offset} is past the retention of {source.topic}") from error

    def close(self) -> None:
        """Close all readers."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _reader(self, position: Position) -> Reader:
        reader = self._readers.get(position.topic)
        if reader is None:
            places = positions_of(self._broker, position.topic)
            reader = self._readers[position.topic] = self._broker.reader(dict.fromkeys(places, 0))
        if position not in reader.assignment():
            raise ConfigurationError(f"{position} does not exist")
        reader.pause(reader.assignment() - {position})
        reader.resume([position])
        return reader

    def _read(self, reader: Reader, position: Position, offset: int) -> InRecord:
        oldest = reader.beginning_offsets([position])[position]
        if offset < oldest:
            raise Gone(f"offset {offset} is past the retention of {position.topic}")
        if offset >= reader.end_offsets([position])[position]:
            raise Gone(f"{position.topic}[{position.partition}] ends before offset {offset}")
        stands = reader.position(position)
        if stands < oldest or not stands <= offset < stands + _READ_THROUGH:
            reader.seek(position, offset)
        deadline = self._clock.monotonic() + self._timeout_s
        while (at := reader.position(position)) <= offset:
            for record in reader.poll(_POLL_S, offset - at + 1):
                if record.offset == offset:
                    return record
            if self._clock.monotonic() > deadline:
                raise BrokerUnavailable(f"{position.topic}[{position.partition}]@{offset} does not come")
        raise Gone(f"{position.topic}[{position.partition}]@{offset} was never committed")
