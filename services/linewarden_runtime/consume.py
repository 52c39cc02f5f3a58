"""At least once: handle, write, wait for every acknowledgement, then commit the offsets of exactly these records.

For stages whose effects may be repeated: copies keyed by id, projections that keep their own offsets.
"""

import random
from collections.abc import Callable, Sequence

import structlog

from linewarden_runtime.backoff import Backoff
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import BrokerUnavailable, CommitRefused, DeliveryFailed, Poison, SlowDown, TooLarge
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.loop import LoopLimits
from linewarden_runtime.metrics import RECORDS_DONE, RECORDS_DROPPED, RECORDS_READ, RECORDS_WRITTEN, SLOW_DOWNS
from linewarden_runtime.ports import Consumer, Producer
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position, next_offsets

_log = structlog.get_logger(__name__)


class Rebalanced(Exception):
    """The group moved on while records were being retried; they are somebody else's now."""


class ConsumeLoop:
    """Runs one handler between a consumer and a plain producer."""

    def __init__(
        self,
        consumer: Consumer,
        make_producer: Callable[[], Producer],
        handle: Callable[[Sequence[InRecord]], Sequence[OutRecord]],
        dead_letters: DeadLetters,
        *,
        clock: Clock | None = None,
        limits: LoopLimits | None = None,
        ack_timeout_s: float = 10.0,
        beat: Callable[[], None] = lambda: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._consumer = consumer
        self._make_producer = make_producer
        self._producer = make_producer()
        self._handle = handle
        self._dead_letters = dead_letters
        self._clock = clock or SystemClock()
        self._limits = limits or LoopLimits()
        self._ack_timeout_s = ack_timeout_s
        self._beat = beat
        self._backoff = Backoff(2.0 * self._limits.backoff_s, chance=jitter)
        self._stop = Stop()
        self._owed: dict[Position, int] = {}

    def run(self, stop: Stop) -> None:
        """Turn until asked to stop. Raises DeliveryFailed after too many failures, and what a handler raises."""
        self._stop = stop
        try:
            while not stop.is_set():
                self.step()
        finally:
            self._producer.close()

    def step(self) -> None:
        """Turn once: poll, answer what came, commit what is answered; a rebalance means to read it again."""
        self._beat()
        records = self._consumer.poll(self._limits.idle_poll_s, self._limits.max_records)
        group = self._consumer.group()
        try:
            if records:
                RECORDS_READ.labels(group=group.group).inc(len(records))
                self._answer(records, group)
                # Owed from here on: what was written stays written, whether or not the commit comes through now.
                self._owed |= next_offsets(records)
            self._commit()
        except (Rebalanced, CommitRefused):
            self._read_again()
            RECORDS_DROPPED.labels(group=group.group, cause="rebalance").inc(len(records))
            return
        RECORDS_DONE.labels(group=group.group).inc(len(records))
        # Last, when what was given up is written and committed.
        self._dead_letters.require_within_cap()

    def _read_again(self) -> None:
        """Go back to what is committed, everywhere.

        The client keeps position and pause of a partition that stays, and the poll that brought a new one may have
        moved past its first records.
        """
        self._owed.clear()
        self._consumer.resume(self._consumer.paused())
        for position, offset in self._consumer.committed(self._consumer.assignment()).items():
            if offset is not None:
                self._consumer.seek(position, offset)

    def _commit(self) -> None:
        """Commit what is owed; a coordinator that is away for the moment gets it at the next turn."""
        if not self._owed:
            return
        try:
            self._consumer.commit(self._owed)
        except BrokerUnavailable as failure:
            _log.warning("commit put off", failure=str(failure))
        else:
            self._owed.clear()

    def _outputs(self, records: Sequence[InRecord], group: GroupSnapshot) -> list[OutRecord]:
        """Handle records, retrying what is told to slow down and dead-lettering what is poison."""
        while True:
            # Not handled, so not committed either: whoever starts next reads them again.
            if self._stop.is_set():
                raise Rebalanced
            try:
                outputs = list(self._handle(records))
            except SlowDown as wish:
                SLOW_DOWNS.labels(group=group.group).inc()
                self._wait_polling(wish.retry_after_s, group)
            except Poison as poison:
                return self._isolated(records, poison, group)
            else:
                self._dead_letters.passed(len(records))
                return outputs

    def _answer(self, records: Sequence[InRecord], group: GroupSnapshot) -> None:
        """Handle and write; a record whose outputs are too large for their topic becomes a dead letter."""
        try:
            self._write(self._outputs(records, group), group)
        except TooLarge as refusal:
            if len(records) == 1:
                self._write([self._dead_letters.letter(records[0], "too-large", str(refusal))], group)
                return
            for record in records:
                self._answer([record], group)

    def _isolated(self, records: Sequence[InRecord], poison: Poison, group: GroupSnapshot) -> list[OutRecord]:
        if len(records) == 1:
            return [self._dead_letters.letter(records[0], poison.cause, poison.detail)]
        return [output for record in records for output in self._outputs([record], group)]

    def _write(self, outputs: list[OutRecord], group: GroupSnapshot) -> None:
        failures = 0
        while True:
            try:
                deliveries = [self._producer.send(output) for output in outputs]
                # All are sent before the first is waited for, or each would take a trip of its own.
                for delivery in deliveries:
                    delivery.result(self._ack_timeout_s)
            except TooLarge:
                raise
            except DeliveryFailed as failure:
                failures += 1
                if failures >= self._limits.failures:
                    raise
                # A new producer each time: one that gave up a batch never sends again (D0).
                _log.warning("delivery failed", failure=str(failure), in_a_row=failures)
                self._producer.close()
                self._producer = self._make_producer()
                self._wait_polling(self._backoff.wait_s(failures), group)
            else:
                for output in outputs:
                    RECORDS_WRITTEN.labels(topic=output.topic).inc()
                return

    def _wait_polling(self, seconds: float, group: GroupSnapshot) -> None:
        """Wait while staying a member: poll with everything paused. Raises Rebalanced if that was in vain."""
        until = self._clock.monotonic() + seconds
        while self._clock.monotonic() < until and not self._stop.is_set():
            self._beat()
            # Each turn again, since partitions that a rebalance brings are not paused.
            self._consumer.pause(self._consumer.assignment())
            self._consumer.poll(0.0)
            if not self._consumer.group().same_generation(group):
                raise Rebalanced
            self._stop.wait(self._clock, min(1.0, max(0.0, until - self._clock.monotonic())))
        self._consumer.resume(self._consumer.paused())
