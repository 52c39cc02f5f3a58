"""One partition that this process owns: its memory, its transactional producer, and how far it has read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Broker, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, InRecord, Position, next_offsets

from .metrics import OPEN_VISITS, REMEMBERED_VISITS, RESTORE_SECONDS
from .plan import Desk, Plan
from .reporting import report
from .restore import adopt_routings, restore_visits
from .visits import Visits
from .writing import Writer

TIMERS_A_CYCLE = 500
"""Bounds a transaction after a long absence; the rest follows in the next cycle at once."""

Committed = Callable[[TransactionalProducer], Mapping[Position, int]]


class Lane:
    """The owner of one partition. After any failure it is closed and a new one is opened in its place."""

    def __init__(
        self,
        producer: TransactionalProducer,
        visits: Visits,
        desk: Desk,
        writer: Writer,
        offsets: Mapping[Position, int],
        clock: Clock,
    ) -> None:
        self._producer = producer
        self._visits = visits
        self._desk = desk
        self._writer = writer
        self._clock = clock
        self._wanted = dict(offsets)
        self._waiting: list[InRecord] = []

    @classmethod
    def open(
        cls, broker: Broker, desk: Desk, partition: int, committed: Committed, clock: Clock, horizon_ms: int
    ) -> Lane:
        """Fence the predecessor, and only then fetch its offsets, restore its memory, adopt what is visible.

        Raises:
            BrokerUnavailable: the group's offsets were not told; try again.
            Fenced: somebody took this partition over meanwhile.
            TransactionFailed: the broker did not give the identity, or take the adopted state; try again.
        """
        began = clock.monotonic()
        identity = desk.namespace.transactional_id(f"route-{partition}")
        producer = broker.transactional_producer(identity, desk.writes(partition))
        try:
            producer.init()
            writer = Writer(desk.namespace, partition)
            offsets = committed(producer)
            visits = restore_visits(broker, desk, partition)
            adopted = adopt_routings(broker, desk, visits, writer, clock.now_ms(), horizon_ms)
            if adopted.outputs:
                producer.transact(adopted.outputs)
                adopted.apply()
        except BaseException:
            producer.close()
            raise
        RESTORE_SECONDS.observe(clock.monotonic() - began)
        return cls(producer, visits, desk, writer, offsets, clock)

    @property
    def partition(self) -> int:
        """Its number."""
        return self._writer.partition

    @property
    def wanted(self) -> dict[Position, int]:
        """The next offset of each joined topic that has not been taken in."""
        return self._wanted | next_offsets(self._waiting)

    def take_in(self, record: InRecord) -> None:
        """Queue a record, unless it was taken in before: a rebalance delivers again what is not committed."""
        if record.offset >= self.wanted[record.position]:
            self._waiting.append(record)

    def drop_waiting(self) -> None:
        """Forget records that are queued; they will be read again from `wanted`."""
        self._waiting.clear()

    def next_due_ms(self) -> int | None:
        """When its earliest timer runs out (epoch ms)."""
        return self._visits.next_due_ms()

    def plan(self) -> Plan | None:
        """What is to be done now: due timers first, so that nothing late is decided as if in time; None if nothing."""
        now_ms = self._clock.now_ms()
        due = self._visits.due(now_ms, TIMERS_A_CYCLE)
        if not due and not self._waiting:
            return None
        plan = Plan(self._visits, self._desk, self._writer, now_ms)
        plan.run_timers(due)
        for record in self._waiting:
            plan.take(record)
        plan.finish()
        return plan

    def commit(self, plan: Plan, group: GroupSnapshot) -> None:
        """Publish a plan with the offsets of the records it came from; safe on another thread.

        Raises Fenced, TransactionFailed; the lane is of no more use then.
        """
        offsets = next_offsets(self._waiting)
        self._producer.transact(plan.outputs, offsets, group if offsets else None)

    def land(self, plan: Plan) -> None:
        """Take over what has committed."""
        self._wanted = self.wanted
        self._waiting.clear()
        plan.apply()
        report(plan.effects)
        OPEN_VISITS.labels(partition=str(self.partition)).set(self._visits.open_count)
        REMEMBERED_VISITS.labels(partition=str(self.partition)).set(self._visits.dormant_count)

    def close(self) -> None:
        """Give the producer up; a transaction that is open is aborted by the successor."""
        self._producer.close()
