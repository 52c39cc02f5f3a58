"""Producers of the in-memory bus."""

from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from linewarden_runtime.errors import (
    CommitRefused,
    ConfigurationError,
    DeliveryFailed,
    Fenced,
    GroupNotStable,
    TransactionFailed,
)
from linewarden_runtime.memory.faults import Fault
from linewarden_runtime.memory.log import Outcome, Transaction
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position

if TYPE_CHECKING:
    from linewarden_runtime.memory.broker import MemoryBroker


class MemoryDelivery:
    """A delivery whose fate is known at once."""

    def __init__(self, failure: Exception | None) -> None:
        self._failure = failure

    def done(self) -> bool:
        """Say that it is known."""
        return True

    def result(self, timeout_s: float | None = None) -> None:  # noqa: ARG002 - the port's signature
        """Raise the failure, if there is one."""
        if self._failure is not None:
            raise self._failure

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        """Call at once."""
        callback(self._failure)


class MemoryProducer:
    """As `linewarden_runtime.ports.Producer` promises; every send is decided at once."""

    def __init__(self, broker: "MemoryBroker") -> None:
        self._broker = broker
        self._closed = False

    def send(self, record: OutRecord) -> MemoryDelivery:
        """Append a record, unless a fault was ordered."""
        if self._closed:
            raise ConfigurationError("this producer is closed")
        with self._broker.changed:
            if self._broker.faults.due(Fault.DELIVERY):
                return MemoryDelivery(DeliveryFailed("ordered by a test"))
            try:
                self._broker.append(record, None)
            except DeliveryFailed as failure:
                return MemoryDelivery(failure)
            self._broker.changed.notify_all()
            return MemoryDelivery(None)

    def flush(self, timeout_s: float) -> None:
        """Nothing is ever waiting."""

    def close(self) -> None:
        """Refuse further records."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryTransactionalProducer:
    """As `linewarden_runtime.ports.TransactionalProducer` promises."""

    def __init__(self, broker: "MemoryBroker", transactional_id: str, writes: Collection[Position]) -> None:
        self._broker = broker
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
    ) -> None:
        """Publish all and commit all, or neither."""
        if offsets:
            self._require_place(group)
        self._require_usable()
        sent = list(outputs)
        for output in sent:
            self._broker.require_size(output)
        with self._broker.changed:
            try:
                self._attempt(sent, offsets or {}, group)
            except (TransactionFailed, Fenced):
                self._closed = True
                raise
            finally:
                self._broker.changed.notify_all()

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
        transaction = Transaction()
        broker.open_transactions[self._id] = transaction
        fault = broker.faults.due(
            Fault.SEND, Fault.OFFSETS, Fault.COMMIT_LOST, Fault.DIED, Fault.PENDING, Fault.FORGOTTEN
        )
        try:
            for output in outputs:
                broker.append(output, transaction)
            self._fail_if(fault, Fault.SEND, Fault.DIED, Fault.FORGOTTEN)
            if offsets and group is not None:
                if fault is Fault.PENDING:
                    broker.group(group.group).pending.update(dict.fromkeys(offsets, self._id))
                self._fail_if(fault, Fault.OFFSETS, Fault.PENDING)
                broker.group(group.group).commit(offsets, group.member, group.generation)
        except (DeliveryFailed, CommitRefused, TransactionFailed, Fenced) as error:
            if fault is Fault.FORGOTTEN:
                broker.forgotten[self._id].append(broker.open_transactions.pop(self._id))
            elif fault is not Fault.DIED:
                transaction.end(Outcome.ABORTED)
                del broker.open_transactions[self._id]
            if isinstance(error, TransactionFailed | Fenced):
                raise
            raise TransactionFailed(str(error)) from error
        transaction.end(Outcome.COMMITTED)
        broker.end_forgotten(self._id, Outcome.COMMITTED, [log.position for log in transaction.logs])
        del broker.open_transactions[self._id]
        self._fail_if(fault, Fault.COMMIT_LOST)

    @staticmethod
    def _fail_if(fault: Fault | None, *kinds: Fault) -> None:
        if fault in kinds:
            raise TransactionFailed(f"{fault.value if fault else ''}, as ordered by a test")

    def close(self) -> None:
        """Give the producer up; its identity stays until another takes it."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
