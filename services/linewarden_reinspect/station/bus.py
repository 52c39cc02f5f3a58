"""What the station writes: decisions, each confirmed before it counts, and events of the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.queue.types import Transition
from linewarden_reinspect.station.errors import NotRecorded
from linewarden_runtime.alarm_book import request_record
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BackpressureTimeout, RuntimeFault
from linewarden_runtime.events import event_record
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord
from linewarden_schemas.alarm import AlarmRequest
from linewarden_schemas.decision import Decision, QueueEvent
from linewarden_schemas.ids import Namespace

_log = structlog.get_logger(__name__)
_MOST_UNTOLD = 1000

Done = Callable[[Exception | None], None]
"""Hears how a record fared: None once Kafka has it."""


class StationBus:
    """One producer, thrown away when it does not deliver; used from many threads.

    A decision whose confirmation is lost may still lie in the log; sending it again is harmless, since it carries
    the same id and readers keep the first.
    """

    def __init__(
        self,
        make_producer: Callable[[], Producer],
        namespace: Namespace,
        partitions: int,
        clock: Clock,
        ack_s: float,
        executor: Executor | None = None,
    ) -> None:
        self._make, self._namespace, self._partitions = make_producer, namespace, partitions
        self._clock, self._ack_s = clock, ack_s
        self._producer: Producer | None = None
        self._lock = threading.Lock()
        self._teller = executor or ThreadPoolExecutor(1, thread_name_prefix="queue-events")
        self._closers: list[threading.Thread] = []
        self._untold = threading.BoundedSemaphore(_MOST_UNTOLD)

    def record(self, decision: Decision) -> None:
        """Write a decision to its visit's partition and wait for all replicas. Raises NotRecorded."""
        record = event_record(
            self._namespace.topic("decisions"),
            decision.visit_id,
            decision,
            id=decision.decision_id,
            source=self._namespace.source("station"),
            time_ms=decision.decided_ms,
            partition=partition_of(decision.visit_id, self._partitions),
        )
        try:
            self._current().send(record).result(self._ack_s)
        except RuntimeFault as fault:
            self._discard()
            _log.error("decision not confirmed", decision_id=decision.decision_id, detail=str(fault))
            raise NotRecorded("problem.answer_unconfirmed") from fault

    def ask(self, request: AlarmRequest) -> None:
        """Write what a person wants done with an alarm, and wait for all replicas. Raises NotRecorded."""
        record = request_record(self._namespace, request, self._namespace.source("station"))
        try:
            self._current().send(record).result(self._ack_s)
        except RuntimeFault as fault:
            self._discard()
            _log.error("request not confirmed", request_id=request.request_id, detail=str(fault))
            raise NotRecorded("problem.alarm_unconfirmed") from fault

    def tell(self, event: str, slot_id: str, visit_id: str, actor: str, cause: str | None = None) -> None:
        """Write what the station itself saw, in the background; nobody waits for it, and what is lost is counted."""
        metrics.LEASES.labels(event).inc()
        at_ms = self._clock.now_ms()
        told = QueueEvent(slot_id=slot_id, visit_id=visit_id, event=event, actor=actor, at_ms=at_ms, cause=cause)
        self._write(told, str(at_ms), _count_loss)

    def pass_on(self, happened: Transition, done: Done) -> None:
        """Write a transition of the queue, in the background; `done` hears whether Kafka has it."""
        told = QueueEvent(
            slot_id=happened.slot_id,
            visit_id=happened.visit_id,
            event=happened.event,
            actor=happened.actor,
            at_ms=happened.at_ms,
            cause=happened.cause or None,
        )
        self._write(told, happened.event_id, done)

    def _write(self, told: QueueEvent, serial: str, done: Done) -> None:
        name = f"{told.slot_id}.{told.event}.{serial}"
        topic, source = self._namespace.topic("queue-events"), self._namespace.source("station")
        record = event_record(topic, told.slot_id, told, id=name, source=source, time_ms=told.at_ms)
        if self._untold.acquire(blocking=False):
            self._teller.submit(self._send, record, done)
        else:
            done(BackpressureTimeout(f"{_MOST_UNTOLD} events wait already"))

    def _send(self, record: OutRecord, done: Done) -> None:
        try:
            self._current().send(record).add_done_callback(done)
        except RuntimeFault as fault:
            done(fault)
        finally:
            self._untold.release()

    def drain(self) -> None:
        """Wait until every event told so far was handed over."""
        self._teller.submit(_nothing).result()

    def close(self) -> None:
        """Hand over what was told, then close the producer."""
        self._teller.shutdown(wait=True)
        producer = self._take()
        if producer is not None:
            producer.close()
        for closer in self._closers:
            closer.join()

    def _current(self) -> Producer:
        with self._lock:
            if self._producer is None:
                self._producer = self._make()
            return self._producer

    def _discard(self) -> None:
        """Throw the producer away; closing may take seconds, for which the person does not wait."""
        producer = self._take()
        if producer is not None:
            closer = threading.Thread(target=producer.close, name="producer-close", daemon=True)
            closer.start()
            self._closers = [*(one for one in self._closers if one.is_alive()), closer]

    def _take(self) -> Producer | None:
        with self._lock:
            producer, self._producer = self._producer, None
            return producer


def _nothing() -> None:
    """Done when everything before it is."""


def _count_loss(failure: Exception | None) -> None:
    if failure is not None:
        metrics.EVENTS_LOST.inc()
        _log.warning("queue event lost", detail=str(failure))
