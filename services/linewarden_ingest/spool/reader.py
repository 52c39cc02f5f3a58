"""Hands out durable records in order, from memory where what was just written is still there, else from the disk.

Of what comes from the disk every byte is checked, and damage is told instead of hidden.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crc32c import crc32c

from linewarden_ingest.spool.format import FileView, Kind, RecordHeader, find_entry, read_entry, read_what_is_left
from linewarden_ingest.spool.segment import Segment

if TYPE_CHECKING:
    from linewarden_ingest.spool.spool import Spool


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


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequences, both ends included, of which nothing is left that could be read."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """How many sequences are missing, the first and the last of the gap among them."""
        return self.last - self.first + 1


class SpoolReader:
    """Hands out records in the order of their sequences; belongs to one thread."""

    def __init__(self, spool: Spool, next_sequence: int) -> None:
        self._spool, self._files = spool, spool.files
        self._next = next_sequence
        self._segment: Segment | None = None
        self._file = -1
        self._offset = 0
        self._held: Record | None = None
        self._read_to = 0

    @property
    def next_sequence(self) -> int:
        """The sequence that is expected next."""
        return self._next

    def seek(self, sequence: int) -> None:
        """Go back (or forth) to a sequence that is kept."""
        self._leave()
        self._next, self._held, self._read_to = sequence, None, 0

    def next(self) -> Record | Gap | None:
        """The next durable record, or sequences lost before it or at the end; None where nothing more is durable."""
        # Memory before the disk: what was just written is mostly still there, and a read would cost the disk.
        record = self._held or self._from_memory() or self._read()
        found = self._read_to if record is None else record.sequence
        if found > self._next:
            gap = Gap(self._next, found - 1)
            self._next, self._held = found, record
            return gap
        self._held = None
        if record is not None:
            self._next = record.sequence + 1
        return record

    def close(self) -> None:
        """Close the segment that is open."""
        self._leave()

    def _from_memory(self) -> Record | None:
        with self._spool.lock:
            held = self._spool.take_held(self._next)
            if held is None:
                return None
            self._spool.note_reading(held.segment, self._next)
        # The place on the disk goes along, so that the next record may come from there.
        if held.segment is not self._segment:
            self._leave()
        self._segment, self._offset = held.segment, held.end
        return held.record

    def _read(self) -> Record | None:
        while True:
            end = self._advance()
            if end is None:
                return None
            entry = self._entry(end)
            if entry is None:
                # Nothing whole up to the durable end: what is lost there shows as a gap in the sequences.
                self._offset = end
                continue
            self._offset = entry.end
            if entry.sequence >= self._next:
                return self._record(entry, end)

    def _advance(self) -> int | None:
        """Stand where an unread durable byte is and give the durable end there, or None."""
        with self._spool.lock:
            while True:
                end = self._durable_end()
                if end is not None and self._offset < end:
                    self._spool.note_reading(self._segment, self._next)
                    return end
                following = self._following()
                if following is None:
                    self._read_to = self._spool.durable_next  # what of it did not come by is lost
                    return None
                self._enter(following)

    def _durable_end(self) -> int | None:
        if self._segment is None:
            return None
        return self._spool.durable_size if self._segment is self._spool.segments[-1] else self._segment.size

    def _following(self) -> Segment | None:
        segments = self._spool.segments
        if self._segment in segments:
            after = segments[segments.index(self._segment) + 1 :]
            return after[0] if after else None
        usable = [one for one in segments if one.last_sequence >= self._next]
        return usable[0] if usable else None

    def _enter(self, segment: Segment) -> None:
        self._leave()
        self._segment, self._offset = segment, 0

    def _leave(self) -> None:
        if self._file >= 0:
            self._files.close(self._file)
        self._file, self._segment, self._offset = -1, None, 0

    def _entry(self, end: int) -> RecordHeader | None:
        """The next record header, searched for behind damage."""
        if self._segment is None:
            return None
        if self._file < 0:
            self._file = self._files.open(self._segment.path)
        marker = self._segment.marker
        data = FileView(self._files, self._file, end)
        entry = read_entry(data, self._offset, end, marker)
        return entry or find_entry(data, self._offset + 1, end, marker)

    def _record(self, entry: RecordHeader, end: int) -> Record:
        if entry.kind is not Kind.WHOLE:
            return Record(entry.sequence, entry.header, None, entry.kind)
        # A length beyond the durable end is of a record that never got there.
        count = entry.payload_bytes if entry.end <= end else 0
        payload = read_what_is_left(self._files, self._file, count, entry.payload_offset)
        if len(payload) != entry.payload_bytes or crc32c(payload) != entry.payload_crc:
            return Record(entry.sequence, entry.header, None, entry.kind, is_corrupt=True)
        return Record(entry.sequence, entry.header, payload, entry.kind)
