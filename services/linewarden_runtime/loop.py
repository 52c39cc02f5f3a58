"""Consume, transform, produce: reading, work and publishing overlap; one transaction carries all of a step.

The loop's thread alone touches Kafka. It polls on while work is in flight, so the group knows it is alive;
when too much is in flight it pauses the partitions and polls all the same. Batches are published in the order
they were read, with the offsets of exactly their records and the membership under which they were read.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from linewarden_runtime.backoff import Backoff
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import BrokerUnavailable, Fenced, OffsetMissing, Poison, TooLarge, TransactionFailed
from linewarden_runtime.flight import Batch, Flight
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.metrics import (
    IN_FLIGHT_BYTES,
    RECORDS_DONE,
    RECORDS_DROPPED,
    RECORDS_READ,
    RECORDS_WRITTEN,
    SLOW_DOWNS,
    TRANSACTION_SECONDS,
    TRANSACTIONS,
)
from linewarden_runtime.pending import stable_offsets
from linewarden_runtime.ports import Consumer, StreamProcessor, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position, next_offsets

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """Bounds of a loop; times in seconds, sizes in bytes."""

    max_records: int = 64
    """Records of one poll, that is of one batch."""
    max_batches: int = 8
    max_bytes: int = 64 << 20
    max_transaction_records: int = 512
    idle_poll_s: float = 0.2
    busy_wait_s: float = 0.05
    """How long finished work is waited for before new records are looked for; it wakes the loop itself."""
    failures: int = 8
    """Failed transactions in a row after which the process ends."""
    backoff_s: float = 0.1
    max_backoff_s: float = 5.0
    drain_s: float = 8.0
    """How long a stop waits for what is in flight; less than a transaction's timeout."""


class TransactionalLoop:
    """Runs one stage between a consumer and transactional producers that it makes, and makes again."""

    def __init__(
        self,
        consumer: Consumer,
        make_producer: Callable[[], TransactionalProducer],
        stage: StreamProcessor,
        dead_letters: DeadLetters,
        *,
        clock: Clock | None = None,
        limits: LoopLimits | None = None,
        beat: Callable[[], None] = lambda: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._consumer = consumer
        self._make_producer = make_producer
        self._dead_letters = dead_letters
        self._clock = clock or SystemClock()
        self._limits = limits or LoopLimits()
        self._beat = beat
        self._backoff = Backoff(2.0 * self._limits.backoff_s, self._limits.max_backoff_s, chance=jitter)
        self._wake = threading.Event()
        self._flight = Flight(stage, self._letter, self._wake.set, self._limits.max_batches, self._limits.max_bytes)
        self._producer: TransactionalProducer | None = None
        self._group: GroupSnapshot | None = None
        self._checked: GroupSnapshot | None = None
        self._failures = 0
        self._careful = 0
        self._stop = Stop()

    def run(self, stop: Stop) -> None:
        """Turn until asked to stop, then finish what is in flight.

        Raises:
            Fenced: somebody else has this identity; the process must end.
            TransactionFailed: too many failures in a row.
            DeadLetterCapExceeded: too many records could not be handled; what was given up is committed.
            Exception: whatever unforeseen a stage raised.
        """
        self._stop = stop
        try:
            self.start()
            while not stop.is_set():
                self.step()
            self._drain()
        finally:
            self._lose("stopped")
            if self._producer is not None:
                self._producer.close()

    def start(self) -> None:
        """Take the transactional identity, before anything is read."""
        self._renew_producer()

    def step(self) -> None:
        """Turn once: read, take in finished work, publish what is finished."""
        self._beat()
        # Before the poll, which would fetch more of what there is no room for.
        self._pause_or_resume()
        self._read()
        self._settle()
        self._publish()

    def _pause_or_resume(self) -> None:
        paused = self._consumer.paused()
        if self._flight.is_full:
            # Each turn again, since partitions that a rebalance brings are not paused.
            self._consumer.pause(self._consumer.assignment() - paused)
        elif paused:
            self._consumer.resume(paused)

    def _read(self) -> None:
        records = self._consumer.poll(self._patience(), self._limits.max_records)
        # Right after the poll: the next one may bring another generation, under which these were not read.
        group = self._consumer.group()
        is_new = group.may_commit and not (self._checked and group.same_generation(self._checked))
        if self._has_lost_its_place(group):
            self._rewind(read_only=True)
        elif records and group.may_commit:
            self._flight.add(records, group)
            RECORDS_READ.labels(group=group.group).inc(len(records))
            IN_FLIGHT_BYTES.labels(group=group.group).set(self._flight.bytes)
        elif records:
            # Between generations: nobody could check a commit of these, so they are read again.
            RECORDS_DROPPED.labels(group=group.group, cause="not-stable").inc(len(records))
            self._lose("not-stable")
            self._rewind()
        if is_new:
            # A partition whose offsets are kept back is polled without a record and without an error, for ever.
            self._committed()
            self._checked = group

    def _patience(self) -> float:
        """Give the time to wait for records; while work is in flight its end is waited for instead."""
        if not len(self._flight):
            return self._limits.idle_poll_s
        self._clock.wait(self._wake, self._limits.busy_wait_s)
        self._wake.clear()
        # Polled all the same: the group gives up a member that does not poll.
        return 0.0

    def _has_lost_its_place(self, group: GroupSnapshot) -> bool:
        """Drop what was read under another membership, and whether anything was.

        The client keeps the position of a partition that stays, beyond what is dropped here and uncommitted: without
        going back the records in between would be passed over, and the next commit would make it final.
        """
        changed = self._group is not None and not group.same_generation(self._group)
        self._group = group
        return changed and self._lose("rebalance") > 0

    def _settle(self) -> None:
        if self._flight.settle(self._clock.monotonic()) is not None:
            SLOW_DOWNS.labels(group=self._name).inc()

    def _publish(self) -> None:
        # One batch at a time while the record that no topic takes is looked for.
        batches = self._flight.ready(1 if self._careful > 0 else self._limits.max_transaction_records)
        if not batches:
            return
        records = [record for batch in batches for record in batch.records]
        outputs = [output for batch in batches for output in batch.outputs or ()]
        try:
            self._transact(batches[0].group, records, outputs)
        except TransactionFailed as failure:
            self._start_over(failure)
        except TooLarge as refusal:
            self._find_too_large(batches, refusal)
        else:
            self._failures = 0
            self._land(batches, len(records), outputs)

    def _find_too_large(self, batches: list[Batch], refusal: TooLarge) -> None:
        """Publish batch by batch for a while, then record by record, until the culprit stands alone."""
        if len(batches) > 1:
            # For as many records as the refused transaction had: the culprit is one of them.
            self._careful = sum(len(batch.records) for batch in batches)
        else:
            self._flight.isolate(batches[0], Poison("too-large", str(refusal)))

    def _transact(self, group: GroupSnapshot, records: list[InRecord], outputs: list[OutRecord]) -> None:
        if self._producer is None:
            raise TransactionFailed("there is no producer")
        began = self._clock.monotonic()
        try:
            self._producer.transact(outputs, next_offsets(records), group)
        except Fenced:
            # Never tried again: a new producer would take the identity back from its heir, and so on for ever.
            TRANSACTIONS.labels(group=self._name, outcome="fenced").inc()
            raise
        TRANSACTIONS.labels(group=self._name, outcome="committed").inc()
        TRANSACTION_SECONDS.labels(group=self._name).observe(self._clock.monotonic() - began)

    def _land(self, batches: list[Batch], count: int, outputs: list[OutRecord]) -> None:
        self._flight.land(batches)
        self._careful = max(0, self._careful - count)
        self._dead_letters.passed(count - sum(1 for o in outputs if self._dead_letters.owns(o)))
        RECORDS_DONE.labels(group=self._name).inc(count)
        IN_FLIGHT_BYTES.labels(group=self._name).set(self._flight.bytes)
        for output in outputs:
            RECORDS_WRITTEN.labels(topic=output.topic).inc()
        # Last, when all of it is committed: whoever starts after this stop does not give the same records up again.
        self._dead_letters.require_within_cap()

    def _start_over(self, failure: TransactionFailed) -> None:
        """Forget everything in flight, take a new producer, and read again from what was committed."""
        TRANSACTIONS.labels(group=self._name, outcome="failed").inc()
        # What is finished too: it was read behind what failed, and is read again with it.
        self._lose("transaction-failed")
        self._count_failure(failure)
        self._renew_producer()
        self._rewind()

    def _renew_producer(self) -> None:
        while True:
            if self._producer is not None:
                self._producer.close()
            # A new one each time: a producer that aborted sends its stale offsets with its next transaction.
            self._producer = self._make_producer()
            try:
                self._producer.init()
            except TransactionFailed as failure:
                self._count_failure(failure)
            else:
                return

    def _count_failure(self, failure: Exception) -> None:
        self._failures += 1
        _log.warning("transaction failed", failure=str(failure), in_a_row=self._failures)
        # A stop waits for no broker: nothing is lost, since nothing of this was committed.
        if self._failures >= self._limits.failures or self._stop.is_set():
            raise failure
        self._stop.wait(self._clock, self._backoff.wait_s(self._failures))

    def _rewind(self, *, read_only: bool = False) -> None:
        """Seek every partition back to what is committed; what was polled since is read again.

        `read_only` leaves partitions alone that were never read, as those that a rebalance just brought: their start
        is chosen and committed before their first record.
        """
        for position, offset in self._committed().items():
            if offset is None and read_only:
                continue
            if offset is None:
                raise OffsetMissing(f"the committed offset of {position} is gone")
            self._consumer.seek(position, offset)

    def _committed(self) -> dict[Position, int | None]:
        """Fetch what is committed of every partition, however often it takes, within the bound on failures."""
        while True:
            try:
                return self._stable_offsets()
            except BrokerUnavailable as failure:
                self._count_failure(failure)
            except TransactionFailed as failure:
                self._count_failure(failure)
                self._renew_producer()

    def _stable_offsets(self) -> dict[Position, int | None]:
        positions, group = self._consumer.assignment(), self._group
        if self._producer is None or group is None or not group.may_commit:
            # Without membership or identity nothing pending can be released; asking again is all there is.
            return self._consumer.committed(positions)
        return stable_offsets(self._consumer, positions, self._producer, group)

    def _lose(self, cause: str) -> int:
        dropped = self._flight.drop()
        self._careful = 0
        if dropped:
            RECORDS_DROPPED.labels(group=self._name, cause=cause).inc(dropped)
        return dropped

    def _drain(self) -> None:
        deadline = self._clock.monotonic() + self._limits.drain_s
        while len(self._flight) and self._clock.monotonic() < deadline:
            self._beat()
            # Polled for the membership alone, without which the rest could not be committed.
            self._consumer.pause(self._consumer.assignment() - self._consumer.paused())
            self._read()
            self._settle()
            self._publish()

    def _letter(self, record: InRecord, poison: Poison) -> OutRecord:
        return self._dead_letters.letter(record, poison.cause, poison.detail)

    @property
    def _name(self) -> str:
        return self._group.group if self._group is not None else "?"
