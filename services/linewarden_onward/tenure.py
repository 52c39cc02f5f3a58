"""Who acts for an output: one process, by a transactional identity, an epoch that grows, and a word that is renewed.

Whoever takes the identity fences the one before: nothing of it is committed any more. A process that stood still may
not know that yet, so it speaks only for a while after its last word to the log, and its heir stays silent as long.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from linewarden_onward.metrics import EPOCH
from linewarden_runtime.books import positions_of, read_to_end, readable, reader_of_all
from linewarden_runtime.broker_time import BrokerTime
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import Fenced, TransactionFailed
from linewarden_runtime.events import event_record
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.pending import stable_offsets
from linewarden_runtime.ports import Broker, Closing, Consumer, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import OutputState

_WRITES = ("outputs", "actuations", "dead-letters")


@dataclass(frozen=True, slots=True)
class TenureLimits:
    """In seconds: a word to the log lets a process speak for `lease_s`, and is renewed after `renew_s`."""

    renew_s: float = 1.0
    lease_s: float = 3.0


class Tenure(Closing):
    """One process's time at one output. One thread transacts; `is_held` and `now_ms` may be asked on any."""

    def __init__(
        self,
        broker: Broker,
        namespace: Namespace,
        about: OutputState,
        time: BrokerTime,
        clock: Clock,
        limits: TenureLimits | None = None,
    ) -> None:
        self._broker, self._namespace, self._time, self._clock = broker, namespace, time, clock
        self._limits = limits or TenureLimits()
        self._topic, self._state = namespace.topic("outputs"), about
        self._writes = [one for name in _WRITES for one in positions_of(broker, namespace.topic(name))]
        self._producer: TransactionalProducer | None = None
        self._renewed_s = float("-inf")

    @property
    def epoch(self) -> int:
        """How often the output was taken over, this time included; from 1."""
        return self._state.epoch

    def take(self, stop: Stop) -> None:
        """Take the output over: fence who had it, raise the epoch, and wait until nothing is said any more by the last.

        Raises:
            Fenced: somebody else took it meanwhile.
            TransactionFailed: the broker did not confirm; whoever calls again raises the epoch again.
        """
        self._producer = self._initialised()
        last = self._last()
        before, told_ms = (0, 0) if last is None else (last[0].epoch, last[1])
        self._time.look()
        now_ms = self._time.now_ms()
        self._state = self._state.model_copy(update={"epoch": before + 1, "since_ms": now_ms})
        self.transact()
        EPOCH.labels(output=self._state.output_id).set(self.epoch)
        silent_s = self._limits.lease_s - max(0, self._time.now_ms() - told_ms) / 1000
        if before and silent_s > 0:
            stop.wait(self._clock, silent_s)
            self.transact()

    def retake(self) -> None:
        """A new producer after a failure, unless somebody else took the output meanwhile.

        Raises:
            Fenced: somebody did; a new producer would take it back from its heir, and so on for ever.
            TransactionFailed, BrokerUnavailable: the broker does not answer.
        """
        self.close()
        self._require_mine()
        self._producer = self._initialised()
        self._require_mine()  # who came between was fenced by this and ends too: both are started again

    def transact(
        self,
        outputs: Sequence[OutRecord] = (),
        offsets: Mapping[Position, int] | None = None,
        group: GroupSnapshot | None = None,
    ) -> None:
        """Publish all and commit all, or neither; with it the word that this process acts, where it is due.

        Raises what `TransactionalProducer.transact` does.
        """
        if self._producer is None:
            raise TransactionFailed("there is no producer")
        is_due = self.is_due
        if not (is_due or outputs or offsets):
            return
        trip = self._time.sending()
        stamp_ms = self._producer.transact([*([self._word()] if is_due else []), *outputs], offsets, group)
        self._time.answered(trip, stamp_ms)
        if is_due:
            self._renewed_s = trip.sent_at

    @property
    def is_due(self) -> bool:
        """Whether the word is to be renewed."""
        return self._clock.monotonic() - self._renewed_s >= self._limits.renew_s

    @property
    def is_held(self) -> bool:
        """Whether this process may speak: its last word to the log is not too long ago."""
        return self._clock.monotonic() - self._renewed_s < self._limits.lease_s

    def now_ms(self) -> int | None:
        """The broker's time, epoch ms; None where it is not known, or this process may not speak."""
        self._time.look()
        return self._time.now_ms() if self.is_held and self._time.is_known else None

    def stable_offsets(
        self, consumer: Consumer, positions: Collection[Position], group: GroupSnapshot
    ) -> dict[Position, int | None]:
        """What the group committed; raises as `linewarden_runtime.pending.stable_offsets`."""
        if self._producer is None:
            raise TransactionFailed("there is no producer")
        return stable_offsets(consumer, positions, self._producer, group)

    def close(self) -> None:
        """Give the producer up; the epoch stays taken."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def _initialised(self) -> TransactionalProducer:
        identity = self._namespace.transactional_id(f"onward-{self._state.output_id}")
        producer = self._broker.transactional_producer(identity, self._writes)
        try:
            producer.init()
        except BaseException:
            producer.close()
            raise
        return producer

    def _require_mine(self) -> None:
        last = self._last()
        if last is not None and last[0].epoch > self.epoch:
            raise Fenced(f"output {self._state.output_id} was taken over by {last[0].instance}, epoch {last[0].epoch}")

    def _last(self) -> tuple[OutputState, int] | None:
        return last_words(self._broker, self._namespace).get(self._state.output_id)

    def _word(self) -> OutRecord:
        state = self._state
        source = self._namespace.source("onward")
        return event_record(
            self._topic, state.output_id, state, id=state.output_id, source=source, time_ms=self._clock.now_ms()
        )


def last_words(broker: Broker, namespace: Namespace) -> dict[str, tuple[OutputState, int]]:
    """By output who acts for it, and when that was said last (epoch ms); what is unreadable is counted and passed over.

    Raises BrokerUnavailable; ConfigurationError where there is no such topic.
    """
    found: dict[str, tuple[OutputState, int]] = {}
    with reader_of_all(broker, positions_of(broker, namespace.topic("outputs"))) as reader:
        for record in read_to_end(reader):
            message = readable(record)
            if isinstance(message, OutputState):
                last = found.get(message.output_id)
                if last is None or message.epoch >= last[0].epoch:
                    found[message.output_id] = message, record.timestamp_ms
    return found
