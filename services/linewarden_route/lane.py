"""One partition that this process owns: its memory, its transactional producer, and how far it has read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Broker, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, InRecord, Position, next_offsets

from .metrics import OPEN_VISITS, REMEMBERED_VISITS, RESTORE_SECONDS
from .plan import Desk, Plan
from .reporting import report
from .restore import mend, restore
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
        said_from: int,
    ) -> None:
        self._producer = producer
        self._visits = visits
        self._desk = desk
        self._writer = writer
        self._clock = clock
        self._wanted = dict(offsets)
        self._waiting: list[InRecord] = []
        self.said_from = said_from
        """An offset of `dispositions` at or beyond which all of this owner's lie; the nearer, the quicker a restore."""

    @classmethod
    def open(
        cls, broker: Broker, desk: Desk, partition: int, committed: Committed, clock: Clock, horizon_ms: int
    ) -> Lane:
        """Fence the predecessor, and only then fetch its offsets, restore its memory, mend what was torn.

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
            restored = restore(broker, desk, partition)
            offsets = restored.where_to_read(offsets, lambda behind: _beginnings(broker, behind))
            mended = mend(broker, desk, restored, writer, clock.now_ms(), horizon_ms)
            if not restored.read_to:
                mended.outputs.append(writer.read_to(offsets, mended.said_from))
            if mended.outputs:
                producer.transact(mended.outputs)
                mended.apply()
        except BaseException:
            producer.close()
            raise
        RESTORE_SECONDS.observe(clock.monotonic() - began)
        return cls(producer, restored.visits, desk, writer, offsets, clock, mended.said_from)

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
        plan = Plan(self._visits, self._desk, self._writer, now_ms, said_from=self.said_from)
        plan.run_timers(due)
        for record in self._waiting:
            plan.take(record)
        plan.finish()
        if self._waiting:
            plan.outputs.append(self._writer.read_to(self._read_to(plan), self.said_from))
        return plan

    def _read_to(self, plan: Plan) -> dict[Position, int]:
        """How far the state goes: not past a record whose dead letter might not be seen."""
        offsets = self.wanted
        for record in plan.lettered:
            offsets[record.position] = min(offsets[record.position], record.offset)
        return offsets

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


def _beginnings(broker: Broker, places: list[Position]) -> dict[Position, int]:
    with broker.reader(dict.fromkeys(places, 0)) as reader:
        return reader.beginning_offsets(places)
