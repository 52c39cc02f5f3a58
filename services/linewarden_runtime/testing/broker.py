"""The in-memory bus itself."""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from linewarden_runtime.clock import Clock, ManualClock
from linewarden_runtime.errors import ConfigurationError, DeliveryFailed
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Start, TopicSpec
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.sizes import require_fit
from linewarden_runtime.testing.admin import MemoryAdmin
from linewarden_runtime.testing.consumer import MemoryConsumer, MemoryReader
from linewarden_runtime.testing.faults import Faults
from linewarden_runtime.testing.groups import Group
from linewarden_runtime.testing.log import PartitionLog, Transaction, TransactionState
from linewarden_runtime.testing.producer import MemoryProducer, MemoryTransactionalProducer


class MemoryBroker:
    """Topics, groups and transactions in memory, as `linewarden_runtime.ports.Broker` promises.

    Records carry the clock's time as append time; `append_time=False` says as the embedded broker does that it's no
    more than the producer's. Topics must be created before use. `faults` lets a test
    order failures; `records` and `append` let it look and write directly.
    """

    def __init__(
        self, clock: Clock | None = None, max_record_bytes: int = 16 << 20, *, append_time: bool = True
    ) -> None:
        self.append_time = append_time
        self.clock = clock or ManualClock()
        self.faults = Faults()
        self.changed = threading.Condition(threading.RLock())
        self.specs: dict[str, TopicSpec] = {}
        self.ids: dict[str, str] = {}
        self.epochs: dict[str, int] = {}
        self.open_transactions: dict[str, Transaction] = {}
        self.forgotten: defaultdict[str, list[Transaction]] = defaultdict(list)
        """Open in the partitions, unknown to the coordinator."""
        self.markers: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
        """Of committed transactions, by identity: what its coordinator has still to write."""
        self._logs: dict[str, list[PartitionLog]] = {}
        self._groups: dict[str, Group] = {}
        self._max_record_bytes = max_record_bytes
        self._round_robin = 0

    def create(self, spec: TopicSpec) -> None:
        """Make an empty topic with an id of its own."""
        with self.changed:
            self.specs[spec.name] = spec
            self.ids[spec.name] = f"memory-{len(self.ids) + 1}-{self.clock.now_ms()}"
            self._logs[spec.name] = [PartitionLog(Position(spec.name, number)) for number in range(spec.partitions)]

    def drop(self, name: str) -> None:
        """Delete a topic with its records."""
        with self.changed:
            if self.specs.pop(name, None) is not None:
                del self._logs[name]

    def count(self, topic: str) -> int:
        """How many partitions a topic has."""
        if topic not in self.specs:
            raise ConfigurationError(f"unknown topic {topic!r}; create it with 'linewarden topics create'")
        return self.specs[topic].partitions

    def counts(self) -> dict[str, int]:
        """The number of partitions by name of the topic."""
        return {name: spec.partitions for name, spec in self.specs.items()}

    def log(self, position: Position) -> PartitionLog:
        """Every record of one partition, aborted and open ones too; raises ConfigurationError where there is none."""
        if position.partition >= self.count(position.topic):
            raise ConfigurationError(f"{position} does not exist")
        return self._logs[position.topic][position.partition]

    def group(self, name: str) -> Group:
        """Give a group, made when it is first asked for."""
        return self._groups.setdefault(name, Group(name))

    def evict(self, group: str, instance: str | None = None) -> None:
        """Throw a member out (the one of that static name, or all), as an expired session does."""
        with self.changed:
            members = self.group(group).members
            for name in [n for n, m in members.items() if instance in (None, m.instance)]:
                self.group(group).leave(name, self.counts())

    def require_size(self, record: OutRecord) -> None:
        """Raise TooLarge for a record that no producer may send."""
        require_fit(record, self._max_record_bytes)

    def append(self, record: OutRecord, transaction: Transaction | None = None, created_ms: int | None = None) -> int:
        """Write a record and give its offset; raises DeliveryFailed.

        A topic with CreateTime is stamped with `created_ms`, the producer's time, where it is given.
        """
        self.require_size(record)
        if record.topic not in self.specs:
            raise DeliveryFailed(f"unknown topic {record.topic!r}")
        with self.changed:
            number = self._partition(record)
            if number >= self.count(record.topic):
                raise DeliveryFailed(f"{record.topic} has no partition {number}")
            log = self.log(Position(record.topic, number))
            offset = log.append(record, self._stamp(record.topic, created_ms), transaction)
            self.changed.notify_all()
            return offset

    def stamps(self, topic: str) -> bool:
        """Whether records of a topic get the broker's own time."""
        told = self.specs[topic].configs.get("message.timestamp.type") if topic in self.specs else None
        return self.append_time and told == "LogAppendTime"

    def _stamp(self, topic: str, created_ms: int | None) -> int:
        return self.clock.now_ms() if created_ms is None or self.stamps(topic) else created_ms

    def _partition(self, record: OutRecord) -> int:
        count = self.count(record.topic)
        if record.partition is not None:
            return record.partition
        if record.key is not None:
            return partition_of(record.key, count)
        self._round_robin += 1
        return self._round_robin % count

    def records(self, topic: str) -> list[InRecord]:
        """All visible records of a topic, partition by partition."""
        with self.changed:
            found = (log.read(log.start, log.end + 1)[0] for log in self._logs.get(topic, ()))
            return [record for records in found for record in records]

    def take_identity(self, transactional_id: str, writes: Collection[Position]) -> int:
        """Give the next epoch of an identity and abort what was left open, in `writes` what was forgotten too."""
        self.write_markers(transactional_id)
        self.end_forgotten(transactional_id, TransactionState.ABORTED, writes)
        abandoned = self.open_transactions.pop(transactional_id, None)
        if abandoned is not None:
            abandoned.end(TransactionState.ABORTED)
        self.epochs[transactional_id] = self.epochs.get(transactional_id, -1) + 1
        return self.epochs[transactional_id]

    def write_markers(self, transactional_id: str, most: int | None = None) -> None:
        """Write what was kept back of an identity's committed transaction, or the next few of it."""
        waiting = self.markers.pop(transactional_id, [])
        for write in waiting[:most]:
            write()
        if most is not None and waiting[most:]:
            self.markers[transactional_id] = waiting[most:]

    def end_forgotten(self, transactional_id: str, outcome: TransactionState, positions: Collection[Position]) -> None:
        """End forgotten transactions that lie within these partitions, as markers of the same producer do."""
        for transaction in list(self.forgotten.get(transactional_id, ())):
            if {log.position for log in transaction.logs} <= set(positions):
                transaction.end(outcome)
                self.forgotten[transactional_id].remove(transaction)

    def consumer(
        self,
        *,
        group: str,
        topics: Sequence[str],
        instance: str | None = None,
        start: Start = Start.EARLIEST,
        max_records: int = 64,
    ) -> MemoryConsumer:
        """Join a group at the first poll."""
        for topic in topics:
            self.count(topic)
        return MemoryConsumer(self, group, topics, instance=instance, start=start, max_records=max_records)

    def reader(self, offsets: Mapping[Position, int], *, max_records: int = 256) -> MemoryReader:
        """Read partitions from offsets on."""
        for position in offsets:
            self.log(position)
        return MemoryReader(self, offsets, max_records)

    def producer(self, *, client: str = "producer") -> MemoryProducer:  # noqa: ARG002 - the port's signature
        """A producer outside transactions, whose records are in the log when `send` returns."""
        return MemoryProducer(self)

    def transactional_producer(
        self, transactional_id: str, writes: Collection[Position] = ()
    ) -> MemoryTransactionalProducer:
        """Not yet initialised producer of one identity."""
        return MemoryTransactionalProducer(self, transactional_id, writes)

    def admin(self) -> MemoryAdmin:
        """A client for the topics and groups of this broker, usable from any thread."""
        return MemoryAdmin(self)

    def create_topics(self, specs: Iterable[TopicSpec]) -> None:
        """Make topics that are missing."""
        self.admin().create_topics(specs)
