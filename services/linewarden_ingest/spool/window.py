"""Records kept in memory from their write to their sending, so that what was just written is not read back."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from .format import Kind
from .segment import Segment


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read. `payload` is None where there is no picture; `is_corrupt` says that it was damaged.

    `note` is what the writer gave beside the bytes, None where they came from the disk.
    """

    sequence: int
    header: bytes
    payload: bytes | None
    kind: Kind
    is_corrupt: bool = False
    note: object = None


@dataclass(frozen=True, slots=True)
class Held:
    """A record with the place where it lies on disk too: its segment, and where the next record begins there."""

    record: Record
    segment: Segment
    end: int

    @property
    def size(self) -> int:
        """Bytes that it holds in memory."""
        return len(self.record.header) + len(self.record.payload or b"")


class Window:
    """At most `max_bytes` of records not read yet; what finds no room is read from the disk. Not locked by itself."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[int, Held] = OrderedDict()
        self.bytes = 0

    def keep(self, held: Held) -> None:
        """Keep the newest record if there is room."""
        # A newer one may still find room: what is missing between is read from the disk.
        if self.bytes + held.size <= self._max_bytes:
            self._held[held.record.sequence] = held
            self.bytes += held.size

    def take(self, sequence: int) -> Held | None:
        """Give a record away, and with it everything older; None where it is not here."""
        while self._held and (oldest := next(iter(self._held))) <= sequence:
            held = self._remove(oldest)
            if oldest == sequence:
                return held
        return None

    def drop(self, first: int, last: int) -> None:
        """Forget these sequences, both ends included."""
        for sequence in [one for one in self._held if first <= one <= last]:
            self._remove(sequence)

    def _remove(self, sequence: int) -> Held:
        held = self._held.pop(sequence)
        self.bytes -= held.size
        return held
