"""The broker in memory as one process sees it: each call takes a turn, and may meet a fault that was ordered for it."""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Self

from linewarden_runtime.errors import BrokerUnavailable, DeliveryFailed, TransactionFailed
from linewarden_runtime.ports import Start
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position
from linewarden_runtime.testing.admin import MemoryAdmin
from linewarden_runtime.testing.broker import MemoryBroker
from linewarden_runtime.testing.consumer import MemoryConsumer, MemoryReader
from linewarden_runtime.testing.faults import Fault
from linewarden_runtime.testing.log import Transaction, TransactionState
from linewarden_runtime.testing.producer import MemoryProducer, MemoryTransactionalProducer
from tests.simulation.world import Process, WallClock, World

_ANSWER_S = 30.0
"""How long a client waits for an answer before it gives up; longer than any fault but a dead broker."""

TRANSACTION_FAULTS = {
    "lost send": Fault.SEND,
    "lost commit": Fault.OFFSETS,
    "doubled commit": Fault.COMMIT_LOST,
    "torn transaction": Fault.TORN,
    "markers apart": Fault.APART,
    "open transaction": Fault.DIED,
    "forgotten transaction": Fault.FORGOTTEN,
    "pending offsets": Fault.PENDING,
}


class WholeLog(MemoryBroker):
    """The broker, with a memory of every record that was ever written, whatever compaction and retention take."""

    def __init__(self, world: World, clock: WallClock) -> None:
        super().__init__(clock)
        self._world = world
        self.written: dict[str, list[tuple[InRecord, Transaction | None]]] = defaultdict(list)
        self.moments: dict[tuple[Position, int], float] = {}
        """When each record was written, in true seconds."""

    def append(self, record: OutRecord, transaction: Transaction | None = None, created_ms: int | None = None) -> int:
        """Write a record, and remember it."""
        offset = super().append(record, transaction, created_ms)
        number = self._last_partition
        log = self.log(Position(record.topic, number))
        self.written[record.topic].append((log.newest(), transaction))
        self.moments[log.position, offset] = self._world.now
        self._world.counts["written"] += 1
        self._world.note(record.topic, number, offset, record.key, zlib.crc32(record.value or b""), len(record.headers))
        self._world.changed()
        return offset

    def _partition(self, record: OutRecord) -> int:
        self._last_partition = super()._partition(record)
        return self._last_partition

    def oldest_since(self, position: Position, seconds: float) -> int:
        """The offset of the first record that is at most so old, the end where there is none."""
        log, since = self.log(position), self._world.now - seconds
        return next((n for n in range(log.start, log.end) if self.moments.get((position, n), -1.0) >= since), log.end)

    def ever(self, topic: str) -> list[InRecord]:
        """Every record that readers of a topic could ever see, partition by partition in the order of the log."""
        found = [
            record
            for record, transaction in self.written[topic]
            if transaction is None or transaction.is_committed_in(self.log(record.position))
        ]
        return sorted(found, key=lambda one: (one.partition, one.offset))


class Bus:
    """As `linewarden_runtime.ports.Broker`, for one process."""

    def __init__(
        self, broker: WholeLog, process: Process, chance: random.Random, edit: Callable[[OutRecord], OutRecord]
    ) -> None:
        self.inner, self.process, self.chance, self.edit = broker, process, chance, edit
        self.world = process.world
        self.idle_s = 1.0
        """A poll that finds nothing takes at least so long, or most turns of a history would be such polls."""

    def turn(self, *, fails: bool = True) -> None:
        """Let the others run once. Raises BrokerUnavailable where the process is cut off for too long."""
        self.world.wait(0.0)
        if self.world.thread() is None or self.process.cut_until <= self.world.now:
            return
        self.world.wait(min(_ANSWER_S, self.process.cut_until - self.world.now))
        if fails and self.process.cut_until > self.world.now:
            raise BrokerUnavailable("no answer")

    @property
    def append_time(self) -> bool:
        """Whether it stamps by its own clock."""
        return self.inner.append_time

    @property
    def is_cut(self) -> bool:
        """Whether the process does not reach the broker."""
        return self.process.cut_until > self.world.now

    def consumer(
        self,
        *,
        group: str,
        topics: Sequence[str],
        instance: str | None = None,
        start: Start = Start.EARLIEST,
        max_records: int = 64,
    ) -> GroupMember:
        """Join a group at the first poll."""
        self.turn()
        for topic in topics:
            self.inner.count(topic)
        inner = MemoryConsumer(self.inner, group, topics, instance=instance, start=start, max_records=max_records)
        return GroupMember(self, inner)

    def reader(self, offsets: Mapping[Position, int], *, max_records: int = 256) -> Follower:
        """Read partitions from offsets on."""
        return Follower(self, self.inner.reader(offsets, max_records=max_records))

    def producer(self, *, client: str = "producer") -> Sender:
        """Plain producer."""
        return Sender(self)

    def transactional_producer(self, transactional_id: str, writes: Collection[Position] = ()) -> Transactor:
        """Not yet initialised producer of one identity."""
        return Transactor(self, transactional_id, writes)

    def admin(self) -> MemoryAdmin:
        """Topics and groups."""
        return self.inner.admin()


class Follower:
    """A reader whose polls wait in the history's time."""

    def __init__(self, bus: Bus, inner: MemoryReader) -> None:
        self._bus, self._inner = bus, inner

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[InRecord]:
        """Next records; waits for news at most so long."""
        world = self._bus.world
        deadline = world.now + max(timeout_s, self._bus.idle_s if timeout_s else 0.0) / self._bus.process.clock.rate
        self._bus.world.wait(0.0)
        while True:
            if not self._bus.is_cut:
                records = self._inner.poll(0.0, max_records)
                if records:
                    self._hand_out(records)
                    return records
            left = deadline - world.now
            if left <= 0.0 or world.thread() is None:
                return []
            world.wait(left, news=self._has_news)

    def _hand_out(self, records: list[InRecord]) -> None:
        world = self._bus.world
        world.counts["record"] += len(records)
        self._bus.process.timed_out = False
        world.note(self._bus.process.name, "reads", *(f"{r.topic}[{r.partition}]@{r.offset}" for r in records))

    def _has_news(self) -> bool:
        if self._bus.is_cut:
            return False
        inner = self._inner
        return any(
            inner.position(position) < inner._broker.log(position).last_stable()
            for position in inner.assignment() - inner.paused()
        )

    def assignment(self) -> frozenset[Position]:
        """List the partitions being read."""
        return self._inner.assignment()

    def pause(self, positions: Collection[Position]) -> None:
        """Hand out nothing more of these."""
        self._inner.pause(positions)

    def resume(self, positions: Collection[Position]) -> None:
        """Undo pause."""
        self._inner.resume(positions)

    def paused(self) -> frozenset[Position]:
        """List the partitions paused now."""
        return self._inner.paused()

    def seek(self, position: Position, offset: int) -> None:
        """Read on from `offset`."""
        self._inner.seek(position, offset)

    def position(self, position: Position) -> int:
        """Give the offset to be read next."""
        return self._inner.position(position)

    def beginning_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Offset of the oldest record kept."""
        self._bus.turn()
        return self._inner.beginning_offsets(positions)

    def end_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Last stable offset."""
        self._bus.turn()
        return self._inner.end_offsets(positions)

    def offsets_for_times(self, times_ms: Mapping[Position, int]) -> dict[Position, int | None]:
        """Offset of the first record at or after a time."""
        self._bus.turn()
        return self._inner.offsets_for_times(times_ms)

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        return self._inner.partitions(topic)

    def close(self) -> None:
        """Stop reading; a killed process tells nobody."""
        if self._bus.process.is_alive:
            self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class GroupMember(Follower):
    """A consumer."""

    _inner: MemoryConsumer

    def __init__(self, bus: Bus, inner: MemoryConsumer) -> None:
        super().__init__(bus, inner)

    def _has_news(self) -> bool:
        return (not self._bus.is_cut and self._inner.is_behind()) or super()._has_news()

    def group(self) -> GroupSnapshot:
        """Membership now."""
        return self._inner.group()

    def committed(self, positions: Collection[Position]) -> dict[Position, int | None]:
        """Fetch the group's offsets; a client asks again for a while where they are pending."""
        self._bus.turn()
        if self._inner.has_pending(positions):
            self._bus.world.wait(5.0, news=lambda: not self._inner.has_pending(positions))
        return self._inner.committed(positions)

    def commit(self, offsets: Mapping[Position, int]) -> None:
        """Commit exactly these offsets; the answer may be lost, or all of it, or it comes later, or twice."""
        bus = self._bus
        bus.turn()
        fault = bus.process.order("lost commit", "doubled commit", "delayed commit")
        if fault in {"lost commit", "delayed commit"}:
            if fault == "delayed commit":
                bus.world.after(bus.chance.random() * 5.0, partial(self._commit_late, dict(offsets)))
            raise BrokerUnavailable("the commit is not answered")
        self._inner.commit(offsets)
        bus.world.note(bus.process.name, "commits", sorted(offsets.items()))
        bus.process.did()
        if fault == "doubled commit":
            bus.world.after(bus.chance.random(), partial(self._commit_late, dict(offsets)))
            raise BrokerUnavailable("the answer to the commit is lost")

    def _commit_late(self, offsets: dict[Position, int]) -> None:
        """A commit that was on its way: it does nothing where a newer one of the same connection came before it."""
        current = self._inner.committed(offsets) if not self._inner.has_pending(offsets) else {}
        if all((current.get(position) or 0) <= offset for position, offset in offsets.items()):
            try:
                self._inner.commit(offsets)
            except Exception:  # noqa: BLE001 - nobody hears of it
                self._bus.world.note("a late commit was refused")


class Sent:
    """The fate of a record; known when its acknowledgement has come."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._callbacks: list[Callable[[Exception | None], None]] = []
        self._is_known = False
        self._append_ms: int | None = None
        self._failure: Exception | None = None

    def append_ms(self) -> int | None:
        """When the broker appended it, by its clock."""
        return self._append_ms

    def written(self, append_ms: int | None) -> None:
        """It lies in the log."""
        self._append_ms = append_ms

    def decide(self, failure: Exception | None) -> None:
        """The acknowledgement, or why there is none."""
        if self._is_known or not self._bus.process.is_alive:
            return
        self._is_known, self._failure = True, failure
        for callback in self._callbacks:
            callback(failure)
        self._bus.world.changed()

    def done(self) -> bool:
        """Whether it is known."""
        return self._is_known

    def result(self, timeout_s: float | None = None) -> None:
        """Wait for it."""
        if not self._is_known:
            self._bus.world.wait(timeout_s if timeout_s is not None else _ANSWER_S, news=self.done)
        if not self._is_known:
            raise DeliveryFailed("no acknowledgement in time")
        if self._failure is not None:
            raise self._failure

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        """Call when it is known."""
        if self._is_known:
            callback(self._failure)
        else:
            self._callbacks.append(callback)


class Sender:
    """A plain producer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._inner = MemoryProducer(bus.inner, bus.process.clock)

    def send(self, record: OutRecord) -> Sent:
        """Send; the record may be lost, written twice, late, or without an answer."""
        bus, sent = self._bus, Sent(self._bus)
        bus.turn(fails=False)
        record = bus.edit(record)
        self._inner.require_open()
        bus.inner.require_size(record)
        fault = bus.process.order("lost send", "duplicate", "delay", "lost answer")
        bus.process.did()
        wait_s = bus.chance.random() * 0.02
        if bus.is_cut or fault == "lost send":
            bus.world.after(wait_s + 0.5, partial(sent.decide, DeliveryFailed("the record was lost")))
        elif fault == "delay":
            bus.world.after(bus.chance.random() * 8.0, partial(self._write_late, record, sent))
        elif fault == "lost answer":
            self._write(record, Sent(bus))
            bus.world.after(wait_s + 0.5, partial(sent.decide, DeliveryFailed("the answer was lost")))
        else:
            if fault == "duplicate":
                self._write(record, Sent(bus))
            sent.written(self._write(record, None))
            bus.world.after(wait_s, partial(sent.decide, None))
        return sent

    def _write_late(self, record: OutRecord, sent: Sent) -> None:
        self._write(record, sent)

    def _write(self, record: OutRecord, sent: Sent | None) -> int | None:
        delivery = MemoryProducer(self._bus.inner, self._bus.process.clock).send(record)
        if sent is not None:
            sent.written(delivery.append_ms())
            delivery.add_done_callback(sent.decide)
        return delivery.append_ms()

    def flush(self, timeout_s: float) -> None:
        """Wait a little; what is not acknowledged then is not waited for."""
        self._bus.world.wait(min(timeout_s, 0.05))

    def close(self) -> None:
        """Refuse further records."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_UNSTAMPED = 0.1


class Transactor:
    """A transactional producer."""

    def __init__(self, bus: Bus, transactional_id: str, writes: Collection[Position]) -> None:
        self._bus, self._id = bus, transactional_id
        self._inner = MemoryTransactionalProducer(bus.inner, transactional_id, writes, bus.process.clock)

    def init(self) -> None:
        """Take the identity over."""
        self._ask()
        if self._bus.process.order("failed init"):
            self._bus.inner.faults.order(Fault.INIT)
        self._inner.init()
        self._bus.world.changed()
        self._bus.world.note(self._bus.process.name, "takes", self._id)
        self._bus.world.wait(0.0)

    def transact(
        self,
        outputs: Iterable[OutRecord],
        offsets: Mapping[Position, int] | None = None,
        group: GroupSnapshot | None = None,
    ) -> int | None:
        """Publish all outputs and commit all offsets, or neither, but for what was ordered.

        One answer in ten tells no append time, as a broker's answer to what it has already.
        """
        bus = self._bus
        sent = [bus.edit(output) for output in outputs]
        self._ask()
        if bus.process.order("slow commit"):
            bus.world.wait(bus.chance.random() * 8.0)
        fault = bus.process.order(*TRANSACTION_FAULTS)
        if fault is not None:
            bus.inner.faults.order(TRANSACTION_FAULTS[fault])
            bus.inner.faults.torn = lambda written: bus.chance.sample(written, bus.chance.randrange(len(written) + 1))
        bus.process.did()
        try:
            stamp_ms = self._inner.transact(sent, offsets, group)
        finally:
            bus.inner.faults.clear()
            bus.world.changed()
            bus.world.note(bus.process.name, "transacts", self._id, len(sent), sorted((offsets or {}).items()))
            if fault == "markers apart":
                self._write_markers_apart()
            elif fault == "open transaction":
                bus.world.after(10.0, partial(self._time_out, bus.inner.open_transactions.get(self._id)))
        bus.world.wait(0.0)
        if bus.process.order("late answer"):
            bus.world.wait(bus.chance.random() * 8.0)
        return None if bus.chance.random() < _UNSTAMPED else stamp_ms

    def _ask(self) -> None:
        try:
            self._bus.turn()
        except BrokerUnavailable as error:
            raise TransactionFailed(str(error)) from error

    def _write_markers_apart(self) -> None:
        bus = self._bus
        waiting = bus.inner.markers.get(self._id, [])
        bus.chance.shuffle(waiting)
        for _ in waiting:
            bus.world.after(bus.chance.random() * 3.0, self._write_marker)

    def _time_out(self, transaction: Transaction | None) -> None:
        """The broker aborts what nobody ended."""
        if transaction is not None and self._bus.inner.open_transactions.get(self._id) is transaction:
            del self._bus.inner.open_transactions[self._id]
            transaction.end(TransactionState.ABORTED)
            self._bus.world.changed()

    def _write_marker(self) -> None:
        self._bus.inner.write_markers(self._id, 1)
        self._bus.world.changed()

    def release_offsets(self, positions: Collection[Position], group: GroupSnapshot) -> None:
        """Drop what this identity left pending."""
        self._ask()
        self._inner.release_offsets(positions, group)

    def close(self) -> None:
        """Give the producer up."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
