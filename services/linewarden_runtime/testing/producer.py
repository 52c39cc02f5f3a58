"""Producers of the in-memory bus."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import (
    CommitRefused,
    ConfigurationError,
    DeliveryFailed,
    Fenced,
    GroupNotStable,
    TransactionFailed,
)
from linewarden_runtime.ports import Closing
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position
from linewarden_runtime.testing.faults import Fault
from linewarden_runtime.testing.log import Transaction, TransactionState

if TYPE_CHECKING:
    from linewarden_runtime.testing.broker import MemoryBroker


class MemoryDelivery:
    """A delivery whose fate is known at once."""

    def __init__(self, failure: Exception | None, append_ms: int | None = None) -> None:
        self._failure, self._append_ms = failure, append_ms

    def done(self) -> bool:
        """Say that it is known."""
        return True

    def result(self, timeout_s: float | None = None) -> None:  # noqa: ARG002 - the port's signature
        """Raise the failure, if there is one."""
        if self._failure is not None:
            raise self._failure

    def append_ms(self) -> int | None:
        """The broker's append time (epoch ms); None after a failure, or where it keeps the producer's."""
        return self._append_ms

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        """Call at once and on this thread, since the fate is known from the beginning."""
        callback(self._failure)


class MemoryProducer(Closing):
    """As `linewarden_runtime.ports.Producer` promises; every send is decided at once."""

    def __init__(self, broker: "MemoryBroker", clock: Clock | None = None) -> None:
        self._broker, self._clock = broker, clock
        self._closed = False

    def send(self, record: OutRecord) -> MemoryDelivery:
        """Append a record, unless a fault was ordered."""
        self.require_open()
        with self._broker.changed:
            if self._broker.faults.due(Fault.DELIVERY):
                return MemoryDelivery(DeliveryFailed("ordered by a test"))
            try:
                self._broker.append(record, None, _now_ms(self._clock))
            except DeliveryFailed as failure:
                return MemoryDelivery(failure)
            self._broker.changed.notify_all()
            return MemoryDelivery(None, self._broker.clock.now_ms() if self._broker.stamps(record.topic) else None)

    def require_open(self) -> None:
        """Raise ConfigurationError once it is closed."""
        if self._closed:
            raise ConfigurationError("this producer is closed")

    def flush(self, timeout_s: float) -> None:
        """Returns at once: nothing is ever waiting in memory."""

    def close(self) -> None:
        """Refuse further records; those that were sent stay in the log."""
        self._closed = True


class MemoryTransactionalProducer(Closing):
    """One transactional identity of a `MemoryBroker`, as `linewarden_runtime.ports.TransactionalProducer` promises."""

    def __init__(
        self,
        broker: "MemoryBroker",
        transactional_id: str,
        writes: Collection[Position],
        clock: Clock | None = None,
    ) -> None:
        self._broker, self._clock = broker, clock
        self._writes = writes
        self._id = transactional_id
        self._epoch: int | None = None
        self._closed = False

    def init(self) -> None:
        """Take the identity over and abort what a predecessor left open."""
        with self._broker.changed:
            if self._broker.faults.due(Fault.INIT):
                self._closed = True
                raise TransactionFailed("no answer to init, as ordered by a test")
            self._epoch = self._broker.take_identity(self._id, self._writes)
            self._broker.changed.notify_all()

    def transact(
        self,
        outputs: Iterable[OutRecord],
        offsets: Mapping[Position, int] | None = None,
        group: GroupSnapshot | None = None,
    ) -> int | None:
        """Publish all and commit all, or neither; the broker's stamp of the first record."""
        if offsets:
            self._require_place(group)
        self._require_usable()
        sent = list(outputs)
        for output in sent:
            self._broker.require_size(output)
        with self._broker.changed:
            stamp = self._broker.clock.now_ms() if sent and self._broker.stamps(sent[0].topic) else None
            try:
                self._attempt(sent, offsets or {}, group)
            except (TransactionFailed, Fenced):
                self._closed = True
                raise
            finally:
                self._broker.changed.notify_all()
            return stamp

    def release_offsets(self, positions: Collection[Position], group: GroupSnapshot) -> None:  # noqa: ARG002 - the port's
        """Drop what this identity left pending."""
        self._require_place(group)
        self._require_usable()
        with self._broker.changed:
            pending = self._broker.group(group.group).pending
            for position in [position for position, identity in pending.items() if identity == self._id]:
                del pending[position]

    def _require_usable(self) -> None:
        if self._closed or self._epoch is None:
            raise TransactionFailed("this producer failed before or was never initialised; make a new one")

    def _require_place(self, group: GroupSnapshot | None) -> None:
        if group is None or not group.may_commit:
            self._closed = True
            raise GroupNotStable(f"offsets would be sent under {group}, which no broker checks")

    def _attempt(self, outputs: list[OutRecord], offsets: Mapping[Position, int], group: GroupSnapshot | None) -> None:
        broker = self._broker
        if broker.epochs[self._id] != self._epoch:
            raise Fenced(f"{self._id} belongs to a later producer")
        broker.write_markers(self._id)
        transaction = Transaction()
        broker.open_transactions[self._id] = transaction
        fault = broker.faults.due(*(kind for kind in Fault if kind not in {Fault.INIT, Fault.DELIVERY}))
        try:
            for output in outputs:
                broker.append(output, transaction, _now_ms(self._clock))
            if fault is Fault.TORN:
                self._tear(transaction, offsets, group)
            self._fail_if(fault, Fault.SEND, Fault.DIED, Fault.FORGOTTEN, Fault.TORN)
            if fault is Fault.APART:
                self._commit_apart(transaction, offsets, group)
                return
            if offsets and group is not None:
                self._commit_offsets(fault, offsets, group)
        except (DeliveryFailed, CommitRefused, TransactionFailed, Fenced) as error:
            if fault is Fault.FORGOTTEN:
                broker.forgotten[self._id].append(broker.open_transactions.pop(self._id))
            elif fault is not Fault.DIED:
                transaction.end(TransactionState.ABORTED)
                del broker.open_transactions[self._id]
            if isinstance(error, TransactionFailed | Fenced):
                raise
            raise TransactionFailed(str(error)) from error
        transaction.end(TransactionState.COMMITTED)
        broker.end_forgotten(self._id, TransactionState.COMMITTED, [log.position for log in transaction.logs])
        del broker.open_transactions[self._id]
        self._fail_if(fault, Fault.COMMIT_LOST)

    def _commit_offsets(self, fault: Fault | None, offsets: Mapping[Position, int], group: GroupSnapshot) -> None:
        members = self._broker.group(group.group)
        if fault is Fault.PENDING:
            members.pending.update(dict.fromkeys(offsets, self._id))
        self._fail_if(fault, Fault.OFFSETS, Fault.PENDING)
        members.commit(offsets, group.member, group.generation)

    def _tear(self, transaction: Transaction, offsets: Mapping[Position, int], group: GroupSnapshot | None) -> None:
        if offsets and group is not None and self._broker.faults.torn_offsets:
            self._commit_offsets(Fault.TORN, offsets, group)
        logs = {log.position: log for log in transaction.open_logs()}
        for position in self._broker.faults.torn(list(logs)):
            transaction.mark(logs[position], TransactionState.COMMITTED)

    def _commit_apart(
        self, transaction: Transaction, offsets: Mapping[Position, int], group: GroupSnapshot | None
    ) -> None:
        """Decide the transaction; what follows from it lies in `markers`, its offsets are pending until then."""
        broker = self._broker
        if offsets and group is not None:
            members = broker.group(group.group)
            members.require_current(group.member, group.generation)
            members.pending.update(dict.fromkeys(offsets, self._id))
            broker.markers[self._id].append(partial(members.settle, dict(offsets)))
        broker.markers[self._id] += [
            partial(transaction.mark, log, TransactionState.COMMITTED) for log in transaction.open_logs()
        ]
        broker.end_forgotten(self._id, TransactionState.COMMITTED, [log.position for log in transaction.logs])
        del broker.open_transactions[self._id]

    @staticmethod
    def _fail_if(fault: Fault | None, *kinds: Fault) -> None:
        if fault in kinds:
            raise TransactionFailed(f"{fault.value if fault else ''}, as ordered by a test")

    def close(self) -> None:
        """Give the producer up; its identity stays until another takes it."""
        self._closed = True


def _now_ms(clock: Clock | None) -> int | None:
    return None if clock is None else clock.now_ms()
