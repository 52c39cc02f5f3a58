"""One record by its place in the log, read outside any group."""

from __future__ import annotations

from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, RetentionOvertook
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.inspection import SourceRef


class RecordGone(Exception):
    """The record does not exist any more, or never did; the text says why."""


class RecordFetcher:
    """Keeps one reader a topic, of which one partition is read at a time; belongs to one thread.

    Slots are opened in the order of their frames, so what is wanted next mostly lies a little ahead: then records are
    read through, since a seek throws away what was fetched.
    """

    def __init__(self, broker: Broker, clock: Clock, timeout_s: float) -> None:
        self._broker, self._clock, self._timeout_s = broker, clock, timeout_s
        self._readers: dict[str, Reader] = {}
        self._ends: dict[Position, int] = {}
        self._used: set[Position] = set()

    def fetch(self, source: SourceRef) -> InRecord:
        """The record at `source`.

        Raises:
            RecordGone: where it lies below the oldest or beyond the newest record kept, or was never committed.
            BrokerUnavailable: where it should be there and does not come in time.
        """
        position = Position(source.topic, source.partition)
        try:
            return self._read(self._reader(position), position, source.offset)
        except ConfigurationError as error:
            raise RecordGone(f"{source.topic}[{source.partition}] does not exist") from error

    def close(self) -> None:
        """Close the readers of all topics that were fetched from; a later fetch opens them anew."""
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
        self._require_written(reader, position, offset)
        if position not in self._used or not 0 <= offset - reader.position(position) < 64:
            reader.seek(position, offset)
        self._used.add(position)
        deadline = self._clock.monotonic() + self._timeout_s
        while (at := reader.position(position)) <= offset:
            for record in self._poll(reader, position, at, offset):
                if record.offset == offset:
                    return record
            if self._clock.monotonic() > deadline:
                raise BrokerUnavailable(f"{position.topic}[{position.partition}]@{offset} does not come")
        raise RecordGone(f"{position.topic}[{position.partition}]@{offset} was never committed")

    def _require_written(self, reader: Reader, position: Position, offset: int) -> None:
        """Ask for the end only where the one known is too near: asking costs a request or more."""
        if offset >= self._ends.get(position, 0):
            self._ends |= reader.end_offsets([position])
        if offset >= self._ends[position]:
            raise RecordGone(f"{position.topic}[{position.partition}] ends before offset {offset}")

    @staticmethod
    def _poll(reader: Reader, position: Position, at: int, offset: int) -> list[InRecord]:
        try:
            return reader.poll(0.2, offset - at + 1)
        except RetentionOvertook as error:
            if offset < error.earliest:
                raise RecordGone(f"offset {offset} is past the retention of {position.topic}") from error
            reader.seek(position, offset)
            return []
