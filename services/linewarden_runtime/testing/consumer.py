"""Readers and group members of the in-memory bus."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from linewarden_runtime.errors import (
    BrokerUnavailable,
    ConfigurationError,
    LogTruncated,
    OffsetMissing,
    RetentionOvertook,
)
from linewarden_runtime.ports import Closing, Start
from linewarden_runtime.records import GroupSnapshot, InRecord, Position

if TYPE_CHECKING:
    from linewarden_runtime.testing.broker import MemoryBroker


class MemoryReader(Closing):
    """Reads given partitions, as `linewarden_runtime.ports.Reader` promises."""

    def __init__(self, broker: "MemoryBroker", offsets: Mapping[Position, int], max_records: int) -> None:
        self._broker = broker
        self._positions = dict(offsets)
        self._paused: set[Position] = set()
        self._max_records = max_records
        self._turn = 0
        self._closed = False

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[InRecord]:
        """Next records; waits for a write at most `timeout_s`."""
        with self._broker.changed:
            before = dict(self._positions)
            records = self._take(max_records or self._max_records)
            if not records and timeout_s > 0 and self._positions == before:
                self._broker.changed.wait(timeout_s)
                records = self._take(max_records or self._max_records)
            return records

    def _take(self, limit: int) -> list[InRecord]:
        records: list[InRecord] = []
        for position in self._in_turn():
            log = self._broker.log(position)
            wanted = self._positions[position]
            if wanted < log.start:
                raise RetentionOvertook(position, wanted, log.start)
            if wanted > log.end:
                raise LogTruncated(f"{position}: offset {wanted} is wanted, the log ends at {log.end}")
            found, following = log.read(wanted, limit - len(records))
            records += found
            self._positions[position] = following
            if len(records) >= limit:
                break
        return records

    def _in_turn(self) -> list[Position]:
        """Order partitions so that each is first once in a while, as a client's fairness does."""
        ready = sorted(position for position in self._positions if position not in self._paused)
        self._turn += 1
        cut = self._turn % len(ready) if ready else 0
        return ready[cut:] + ready[:cut]

    def assignment(self) -> frozenset[Position]:
        """List the partitions being read."""
        return frozenset(self._positions)

    def pause(self, positions: Collection[Position]) -> None:
        """Hand out nothing more of these."""
        self._paused.update(positions)

    def resume(self, positions: Collection[Position]) -> None:
        """Hand out again what `pause` held back; partitions that are not paused are no error."""
        self._paused.difference_update(positions)

    def paused(self) -> frozenset[Position]:
        """List the partitions paused now."""
        return frozenset(self._paused)

    def seek(self, position: Position, offset: int) -> None:
        """Read on from `offset`; raises ConfigurationError for a partition that is not read."""
        self._require_assigned(position)
        self._positions[position] = offset

    def position(self, position: Position) -> int:
        """Give the offset to be read next, past markers and aborted records once a poll went over them."""
        self._require_assigned(position)
        return self._positions[position]

    def _require_assigned(self, position: Position) -> None:
        if position not in self._positions:
            raise ConfigurationError(f"{position} is not assigned to this reader")

    def beginning_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Offset of the oldest record kept."""
        return {position: self._broker.log(position).start for position in positions}

    def end_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """The last stable offset of each: what lies beyond belongs to an open transaction, or is not there yet."""
        return {position: self._broker.log(position).last_stable() for position in positions}

    def offsets_for_times(self, times_ms: Mapping[Position, int]) -> dict[Position, int | None]:
        """Offset of the first record at or after a time."""
        return {position: self._broker.log(position).first_at(time) for position, time in times_ms.items()}

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        return self._broker.count(topic)

    def close(self) -> None:
        """Stop reading; nothing is committed, and twice is harmless."""
        self._closed = True


class MemoryConsumer(MemoryReader):
    """A member of a group, as `linewarden_runtime.ports.Consumer` promises."""

    def __init__(
        self,
        broker: "MemoryBroker",
        group: str,
        topics: Iterable[str],
        *,
        instance: str | None,
        start: Start,
        max_records: int,
    ) -> None:
        super().__init__(broker, {}, max_records)
        self._group = broker.group(group)
        self._topics, self._instance, self._start = tuple(topics), instance, start
        self._member = ""
        self._generation = -1

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[InRecord]:
        """Take part in the group, then read."""
        with self._broker.changed:
            self._take_part()
        return super().poll(timeout_s, max_records)

    def _take(self, limit: int) -> list[InRecord]:
        self._take_part()
        return super()._take(limit)

    def _take_part(self) -> None:
        if self._member in self._group.fenced:
            return  # like the real client: it goes on reading until its next commit
        if self._member not in self._group.members:
            counts = self._broker.counts()
            self._member = self._group.join(self._topics, self._instance, counts).name
            self._generation = -1
        if self._generation != self._group.generation:
            self._adopt()

    def is_behind(self) -> bool:
        """Whether the next poll will find another membership than the last."""
        is_member = self._member in self._group.members and self._generation == self._group.generation
        return not is_member and self._member not in self._group.fenced

    def has_pending(self, positions: Collection[Position]) -> bool:
        """Whether a transaction holds offsets of these back."""
        return bool(self._group.pending.keys() & set(positions))

    def _adopt(self) -> None:
        """Take the new assignment; like the real client, keep position and pause of partitions that stay."""
        self._generation = self._group.generation
        assignment = self._group.members[self._member].assignment
        kept = self._positions
        self._positions = {place: kept[place] if place in kept else self._first(place) for place in assignment}
        self._paused &= assignment

    def _first(self, position: Position) -> int:
        committed = self._group.offsets.get(position)
        if committed is not None:
            return committed
        if self._start is Start.REFUSE:
            raise OffsetMissing(f"group {self._group.name} has no offset for {position}")
        log = self._broker.log(position)
        chosen = log.start if self._start is Start.EARLIEST else log.last_stable()
        self._group.offsets[position] = chosen
        return chosen

    def group(self) -> GroupSnapshot:
        """Membership as the group sees it now; fenced where another took the same static name."""
        with self._broker.changed:
            if self._member in self._group.fenced:
                return GroupSnapshot(self._group.name, self._member, self._generation, self._instance, True)
            return self._group.snapshot(self._member, self._instance, self._generation)

    def committed(self, positions: Collection[Position]) -> dict[Position, int | None]:
        """Fetch the group's offsets; raises BrokerUnavailable while some are pending."""
        if self.has_pending(positions):
            raise BrokerUnavailable(f"pending: {sorted(self._group.pending.keys() & set(positions))}")
        return {position: self._group.offsets.get(position) for position in positions}

    def commit(self, offsets: Mapping[Position, int]) -> None:
        """Commit exactly these offsets; raises CommitRefused where the generation moved on, Fenced."""
        with self._broker.changed:
            self._group.commit(offsets, self._member, self._generation)

    def close(self) -> None:
        """Leave the group, unless this is a static member, which only stops."""
        with self._broker.changed:
            if not self._closed and self._instance is None:
                self._group.leave(self._member, self._broker.counts())
            self._broker.changed.notify_all()
        super().close()
