"""One record by its place, read outside any group."""

from __future__ import annotations

import threading
from collections.abc import Callable

from linewarden_runtime.errors import BrokerUnavailable, RetentionOvertook, RuntimeFault
from linewarden_runtime.ports import Reader
from linewarden_runtime.records import InRecord, Position


class PlacedRecords:
    """Fetches records with a reader of its own, opened at the first; used from many threads, one at a time."""

    def __init__(self, make_reader: Callable[[], Reader]) -> None:
        self._make_reader = make_reader
        self._lock = threading.Lock()
        self._reader: Reader | None = None

    def fetch(self, position: Position, offset: int) -> InRecord | None:
        """The record; None where compaction or retention took it. Raises BrokerUnavailable."""
        with self._lock:
            try:
                return self._read(position, offset)
            except RetentionOvertook:
                return None
            except RuntimeFault as fault:
                self._drop()
                raise BrokerUnavailable(f"{position} cannot be read at {offset}: {fault}") from fault

    def close(self) -> None:
        """Close the reader; the next fetch opens another."""
        with self._lock:
            self._drop()

    def _read(self, position: Position, offset: int) -> InRecord | None:
        if self._reader is None:
            self._reader = self._make_reader()
        reader = self._reader
        reader.pause(reader.assignment())
        reader.seek(position, offset)
        reader.resume([position])
        for _ in range(20):
            for record in reader.poll(0.2, 1):
                return record if record.offset == offset else None
        raise BrokerUnavailable(f"no answer for {position} at {offset}")

    def _drop(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
