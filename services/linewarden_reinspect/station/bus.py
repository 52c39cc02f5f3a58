"""What the station writes: decisions, each confirmed before it counts, and events of the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from linewarden_reinspect import metrics
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord
from linewarden_schemas.decision import Decision, QueueEvent
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace

from .errors import NotRecorded

_log = structlog.get_logger(__name__)


class StationBus:
    """One producer, thrown away when it does not deliver; used from many threads.

    A decision whose confirmation is lost may still lie in the log; sending it again is harmless, since it carries
    the same id and readers keep the first.
    """

    def __init__(
        self, make_producer: Callable[[], Producer], namespace: Namespace, partitions: int, clock: Clock, ack_s: float
    ) -> None:
        self._make, self._namespace, self._partitions = make_producer, namespace, partitions
        self._clock, self._ack_s = clock, ack_s
        self._producer: Producer | None = None
        self._lock = threading.Lock()

    def record(self, decision: Decision) -> None:
        """Write a decision to its visit's partition and wait for all replicas. Raises NotRecorded."""
        source = f"/{self._namespace.name}/station"
        encoded = encode(decision, id=decision.decision_id, source=source, time_ms=decision.decided_ms)
        partition = partition_of(decision.visit_id, self._partitions)
        topic = self._namespace.topic("decisions")
        try:
            producer = self._current()
            producer.send(
                OutRecord(topic, decision.visit_id.encode(), encoded.value, encoded.headers, partition)
            ).result(self._ack_s)
        except RuntimeFault as fault:
            self._discard()
            _log.error("decision_not_confirmed", decision_id=decision.decision_id, detail=str(fault))
            raise NotRecorded("Kafka does not confirm. Nothing is recorded; the visit stays with you.") from fault

    def tell(self, event: str, slot_id: str, visit_id: str, actor: str, cause: str | None = None) -> None:
        """Write an event of the queue without waiting; what is lost is counted."""
        metrics.LEASES.labels(event).inc()
        at_ms = self._clock.now_ms()
        told = QueueEvent(slot_id=slot_id, visit_id=visit_id, event=event, actor=actor, at_ms=at_ms, cause=cause)
        name = f"{slot_id}.{event}.{at_ms}"
        encoded = encode(told, id=name, source=f"/{self._namespace.name}/station", time_ms=at_ms)
        record = OutRecord(self._namespace.topic("queue-events"), slot_id.encode(), encoded.value, encoded.headers)
        try:
            self._current().send(record).add_done_callback(_count_loss)
        except RuntimeFault as fault:
            _count_loss(fault)

    def close(self) -> None:
        """Close the producer."""
        self._discard()

    def _current(self) -> Producer:
        with self._lock:
            if self._producer is None:
                self._producer = self._make()
            return self._producer

    def _discard(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()


def _count_loss(failure: Exception | None) -> None:
    if failure is not None:
        metrics.EVENTS_LOST.inc()
        _log.warning("queue_event_lost", detail=str(failure))
