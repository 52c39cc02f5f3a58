"""Asking for the broker's time: a record that is written for its append time alone."""

from __future__ import annotations

import socket

import structlog

from linewarden_route.writing import PROBE_KEY, Writer
from linewarden_runtime.broker_time import QUIET_S, BrokerTime
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, DeliveryFailed
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker, Producer
from linewarden_schemas.ids import Namespace

_AGAIN_S = 1.0
"""At least so long between two records, unless the clock was stepped since."""

_ANSWER_S = 1.0
"""How long an answer is waited for while the time is not known."""

_GIVE_UP_S = 10.0
"""A producer that answered nothing for so long while asked is replaced: it may never send again."""

_log = structlog.get_logger(__name__)


class Probe:
    """One process's probe; belongs to one thread.

    Transactions tell the time too, but a quiet line has none, and what is read may be old. Its producer is its own and
    outside transactions, so that asking for the time never meets the owner of a partition that moved.
    """

    def __init__(self, broker: Broker, namespace: Namespace, partitions: int, time: BrokerTime, clock: Clock) -> None:
        self._broker, self._time, self._clock = broker, time, clock
        self._writer = Writer(namespace, partition_of(PROBE_KEY, partitions))
        self._producer: Producer | None = None
        self._asked_s, self._steps = float("-inf"), 0
        self._unanswered_since: float | None = None

    def ask(self) -> None:
        """Ask where the time is not known or grows old; wait for the answer only where it is not known."""
        self._time.look()
        is_known = self._time.is_known
        if not self._time.stamps or (is_known and self._time.age_s < QUIET_S):
            return
        now_s, steps = self._clock.monotonic(), self._time.steps
        # After a step at once: nothing passes until a new anchor is there.
        if now_s - self._asked_s < _AGAIN_S and steps == self._steps:
            return
        self._asked_s, self._steps = now_s, steps
        try:
            # Waited for only where nothing could be decided meanwhile anyway.
            self._send(0.0 if is_known else _ANSWER_S)
        except (DeliveryFailed, BrokerUnavailable) as failure:
            _log.warning("the broker's time could not be asked for", failure=str(failure))
        if self._unanswered_since is not None and now_s - self._unanswered_since > _GIVE_UP_S:
            self.close()

    def _send(self, patience_s: float) -> None:
        if self._producer is None:
            self._producer = self._broker.producer(client="route-clock")
        record = self._writer.probe(socket.gethostname(), self._time.error_ms())
        trip = self._time.sending()
        # Since the first question without an answer, not the last: later ones queue up behind it.
        self._unanswered_since = self._unanswered_since or trip.sent_at
        delivery = self._producer.send(record)

        def answered(failure: Exception | None) -> None:
            if failure is None:
                self._unanswered_since = None
                self._time.answered(trip, delivery.append_ms())

        delivery.add_done_callback(answered)
        # A refusal that is known at once is raised here too, or it would never be told.
        if patience_s > 0.0 or delivery.done():
            delivery.result(patience_s)

    def close(self) -> None:
        """Close the producer; the next question makes a new one."""
        producer, self._producer, self._unanswered_since = self._producer, None, None
        if producer is not None:
            producer.close()
