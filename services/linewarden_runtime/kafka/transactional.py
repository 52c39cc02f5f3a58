"""One transactional identity, and the only place where a transaction is begun, committed or aborted."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors

from linewarden_runtime.errors import (
    ConfigurationError,
    Fenced,
    GroupNotStable,
    RuntimeFault,
    TransactionFailed,
)
from linewarden_runtime.kafka.faults import is_fencing, translated
from linewarden_runtime.kafka.producer import close, send, stamp_of
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Closing
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position
from linewarden_runtime.sizes import require_fit
from linewarden_runtime.watchdog import Watchdog

OLDEST_BROKER = (3, 0)
"""Older ones let a fenced producer ask for a fresh id and so take its identity back."""


class KafkaTransactionalProducer(Closing):
    """As `linewarden_runtime.ports.TransactionalProducer` promises.

    Every failure ends the client: one that aborted would carry its stale offsets into the next transaction,
    and after an error every later call raises a plain KafkaError. Making a new one aborts what is open.
    """

    def __init__(
        self, transactional_id: str, writes: Collection[Position], settings: KafkaSettings, watchdog: Watchdog
    ) -> None:
        self._id = transactional_id
        self._writes = [TopicPartition(*position) for position in writes]
        self._settings = settings
        self._watchdog = watchdog
        self._usable = False
        self._client: KafkaProducer | None = None

    def init(self) -> None:
        """Connect, fence a predecessor, abort what it left open and what the broker forgot of it."""
        try:
            # Connecting has a bound of its own, which comes before that of the transaction.
            with self._watchdog.guard("init_transactions", self._guard_s + self._settings.bootstrap_timeout_ms / 1000):
                with translated():
                    self._client = KafkaProducer(**self._settings.transactional_producer(self._id))
                self._require_broker(self._client)
                self._client.init_transactions()
                if self._writes:
                    self._abort_everywhere(self._client)
        except ConfigurationError:
            self.close()
            raise
        except (kafka_errors.KafkaError, RuntimeFault) as error:
            raise self._give_up("init", error) from error
        self._usable = True

    def _abort_everywhere(self, client: KafkaProducer) -> None:
        """Abort an empty transaction over every partition: its markers end what is open there of this producer id.

        Without a record of its own, since not every broker hides aborted ones; the client has no public way to that.
        """
        client.begin_transaction()
        manager = client._transaction_manager  # noqa: SLF001
        with manager._lock:  # noqa: SLF001
            # Under the manager's lock, as its own calls are: the sender's thread takes requests from the same queue.
            for partition in self._writes:
                manager.maybe_add_partition_to_transaction(partition)
            adding = manager._add_partitions_to_transaction_handler()  # noqa: SLF001
            manager._enqueue_request(adding)  # noqa: SLF001
        client._sender.wakeup()  # noqa: SLF001
        if not adding.result.wait(timeout_ms=self._settings.delivery_timeout_ms):
            raise TransactionFailed(f"{self._id}: no answer to adding {len(self._writes)} partitions")
        client.abort_transaction()

    @staticmethod
    def _require_broker(client: KafkaProducer) -> None:
        version = client.config["api_version"]
        if version < OLDEST_BROKER:
            wanted = ".".join(map(str, OLDEST_BROKER))
            raise ConfigurationError(f"the broker speaks Kafka {version}; {wanted} or later is needed")

    def transact(
        self,
        outputs: Iterable[OutRecord],
        offsets: Mapping[Position, int] | None = None,
        group: GroupSnapshot | None = None,
    ) -> int | None:
        """Publish all and commit all, or neither; the broker's stamp of the first record."""
        records = list(outputs)
        # Before anything is begun, so that the producer can still be used after a refusal.
        self._require_size(records)
        if offsets:
            self._require_place(group)
        return self._in_transaction("transaction", partial(self._attempt, records, offsets or {}, group))

    def release_offsets(self, positions: Collection[Position], group: GroupSnapshot) -> None:
        """Drop pending offsets: a transaction that names some of the group, and aborts, ends them all.

        The coordinator keeps pending offsets by producer id, which an identity keeps from holder to holder.
        """
        self._require_place(group)
        self._in_transaction("release", partial(self._abort_over, positions, group))

    def _in_transaction(self, what: str, act: Callable[[KafkaProducer], int | None]) -> int | None:
        if not self._usable or self._client is None:
            raise TransactionFailed(f"{self._id} failed before or was never initialised; make a new one")
        self._usable = False
        try:
            # The client's commit, abort and offsets have no timeout of their own (D6).
            with self._watchdog.guard(what, self._guard_s):
                answer = act(self._client)
        except Exception as error:
            # Whatever went wrong between begin and end, of whatever class, the answer is the same.
            raise self._give_up(what, error) from error
        self._usable = True
        return answer

    def _abort_over(self, positions: Collection[Position], group: GroupSnapshot, client: KafkaProducer) -> None:
        client.begin_transaction()
        # Any offset will do: the transaction is aborted, and none is ever committed.
        client.send_offsets_to_transaction(
            {TopicPartition(*p): OffsetAndMetadata(0, "", -1) for p in positions}, group.raw
        )
        client.abort_transaction()

    def _attempt(
        self,
        records: list[OutRecord],
        offsets: Mapping[Position, int],
        group: GroupSnapshot | None,
        client: KafkaProducer,
    ) -> int | None:
        client.begin_transaction()
        futures = [send(client, record) for record in records]
        # Waits once for all of them; without it the first `get` would wait out the linger.
        client.flush(self._settings.delivery_timeout_ms / 1000)
        for future in futures:
            # Before the commit, one by one: commit_transaction succeeds even if a record was lost.
            future.get(self._settings.delivery_timeout_ms / 1000)
        if offsets and group is not None:
            named = {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}
            client.send_offsets_to_transaction(named, group.raw)
        client.commit_transaction()
        return stamp_of(futures[0]) if futures and self._settings.append_time else None

    def _require_place(self, group: GroupSnapshot | None) -> None:
        if group is None or not group.may_commit:
            self.close()
            raise GroupNotStable(f"{self._id}: offsets would be sent under {group}, which no broker checks")

    def _require_size(self, records: list[OutRecord]) -> None:
        for record in records:
            require_fit(record, self._settings.max_record_bytes)

    def _give_up(self, what: str, error: Exception) -> RuntimeFault:
        # The error raised may be a bare KafkaError; what happened is kept by the client's manager.
        cause = self._last_error()
        fenced = is_fencing(error) or is_fencing(cause)
        # Whoever was fenced has nothing to abort: the heir's `init` did.
        if not fenced:
            self._abort()
        self.close()
        kind = Fenced if fenced else TransactionFailed
        return kind(f"{self._id}: {what}: {type(error).__name__}: {error}" + (f" ({cause})" if cause else ""))

    def _last_error(self) -> BaseException | None:
        manager = getattr(self._client, "_transaction_manager", None)
        last: BaseException | None = getattr(manager, "last_error", None)
        return last

    def _abort(self) -> None:
        """Abort within a bounded time, so that readers need not wait for the transaction's timeout.

        The public abort has no limit. Failing here costs nothing but that wait: the next `init` aborts.
        """
        manager = getattr(self._client, "_transaction_manager", None)
        if self._client is None or manager is None:
            return
        try:
            result = manager.begin_abort()
            self._client._sender.wakeup()  # noqa: SLF001 - as abort_transaction does
            result.wait(timeout_ms=2_000)
        except kafka_errors.KafkaError:
            return

    def close(self) -> None:
        """Stop at once; a transaction that is open is aborted by the next `init`, or by the broker."""
        self._usable = False
        client, self._client = self._client, None
        if client is not None:
            close(client, self._settings.close_timeout_s)

    @property
    def _guard_s(self) -> float:
        return self._settings.transaction_timeout_ms / 1000 + self._settings.watchdog_margin_s
