"""One partition as a list of records and transaction markers."""

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import Enum

from linewarden_runtime.records import InRecord, OutRecord, Position


class TransactionState(Enum):
    """Whether `read_committed` shows a transaction's records: not while open, yes, or never."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(slots=True, eq=False)
class Transaction:
    """One transaction of one producer, and the partitions it wrote to."""

    logs: "dict[PartitionLog, TransactionState]" = field(default_factory=dict)

    def end(self, outcome: TransactionState) -> None:
        """Write its marker to every partition that has none yet."""
        for log in self.open_logs():
            self.mark(log, outcome)

    def mark(self, log: "PartitionLog", outcome: TransactionState) -> None:
        """Write the marker of one partition: from now on its readers know, those of the others do not yet."""
        self.logs[log] = outcome
        log.mark(self)

    def is_committed_in(self, log: "PartitionLog") -> bool:
        """Whether readers of this partition see its records."""
        return self.logs.get(log) is TransactionState.COMMITTED

    def open_logs(self) -> "list[PartitionLog]":
        """Partitions without a marker, in the order in which they were written first."""
        return [log for log, outcome in self.logs.items() if outcome is TransactionState.OPEN]


@dataclass(slots=True)
class _LogEntry:
    offset: int
    record: InRecord | None
    transaction: Transaction | None


class PartitionLog:
    """Records in offset order; a marker takes an offset too, as on a real broker."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self.start = 0
        self.end = 0
        self._entries: list[_LogEntry] = []
        self._open: dict[Transaction, int] = {}

    def append(self, record: OutRecord, now_ms: int, transaction: Transaction | None = None) -> int:
        """Write a record and give its offset."""
        offset = self.end
        topic, partition = self.position
        stored = InRecord(topic, partition, offset, now_ms, record.key, record.value, record.headers, leader_epoch=0)
        self._entries.append(_LogEntry(offset, stored, transaction))
        self.end += 1
        if transaction is not None:
            transaction.logs.setdefault(self, TransactionState.OPEN)
            self._open.setdefault(transaction, offset)
        return offset

    def newest(self) -> InRecord:
        """Give the record that was written last."""
        return next(entry.record for entry in reversed(self._entries) if entry.record is not None)

    def mark(self, transaction: Transaction) -> None:
        """Write a transaction's marker, which takes an offset and is never read."""
        self._open.pop(transaction, None)
        self._entries.append(_LogEntry(self.end, None, None))
        self.end += 1

    def last_stable(self) -> int:
        """Give the offset of the first record of an open transaction, or the end."""
        return min(self._open.values(), default=self.end)

    def read(self, offset: int, limit: int) -> tuple[list[InRecord], int]:
        """Read committed records from `offset` on, at most `limit`, and the offset to read next."""
        stable = self.last_stable()
        records: list[InRecord] = []
        for entry in self._entries[bisect_left(self._entries, offset, key=lambda e: e.offset) :]:
            if entry.offset >= stable or len(records) == limit:
                return records, entry.offset
            if entry.record is not None and self._outcome(entry) is not TransactionState.ABORTED:
                records.append(entry.record)
        return records, max(offset, self.end)

    def has_records_from(self, offset: int) -> bool:
        """Whether readers would be handed something from there on, now."""
        return bool(self.read(offset, 1)[0])

    def first_at(self, time_ms: int) -> int | None:
        """Give the offset of the first record appended at or after a time."""
        found = (e.offset for e in self._entries if e.record and e.record.timestamp_ms >= time_ms)
        return next(found, None)

    def delete_before(self, offset: int) -> None:
        """Forget records, as retention does."""
        self._entries = [entry for entry in self._entries if entry.offset >= offset]
        self.start = max(self.start, offset)

    def compact(self, end: int | None = None, *, drops_tombstones: bool = False) -> int:
        """Keep the newest stable record of every key, and all from `end` on or not stable yet; how many went."""
        stable = self.last_stable() if end is None else min(end, self.last_stable())
        newest = {
            entry.record.key: entry.offset
            for entry in self._entries
            if entry.record and entry.offset < stable and self._outcome(entry) is not TransactionState.ABORTED
        }
        before = len(self._entries)
        self._entries = [
            entry
            for entry in self._entries
            if entry.offset >= stable
            or (
                (entry.record and newest.get(entry.record.key) == entry.offset)
                and not (drops_tombstones and entry.record.value is None)
            )
        ]
        return before - len(self._entries)

    def _outcome(self, entry: _LogEntry) -> TransactionState:
        return TransactionState.COMMITTED if entry.transaction is None else entry.transaction.logs[self]
