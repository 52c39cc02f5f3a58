"""One partition that this process owns: its memory, its transactional producer, and how far it has read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from linewarden_runtime.broker_time import BrokerTime
from linewarden_runtime.ports import Broker, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position, next_offsets

from .events import PassLate
from .metrics import OPEN_VISITS, REMEMBERED_VISITS
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
        time: BrokerTime,
        said_from: int,
        routed_until_ms: int,
    ) -> None:
        self._producer = producer
        self._visits = visits
        self._desk = desk
        self._writer = writer
        self._time = time
        self._routed_until_ms = routed_until_ms
        self._wanted = dict(offsets)
        self._waiting: list[InRecord] = []
        self._unchecked: list[tuple[str, int]] = []
        self._late: list[str] = []
        self.said_from = said_from
        """An offset of `dispositions` at or beyond which all of this owner's lie; the nearer, the quicker a restore."""

    @classmethod
    def open(
        cls, broker: Broker, desk: Desk, partition: int, committed: Committed, time: BrokerTime, horizon_ms: int
    ) -> Lane:
        """Fence the predecessor, and only then fetch its offsets, restore its memory, mend what was torn.

        Raises:
            BrokerUnavailable: the group's offsets were not told; try again.
            Fenced: somebody took this partition over meanwhile.
            TransactionFailed: the broker did not give the identity, or take the adopted state; try again.
        """
        identity = desk.namespace.transactional_id(f"route-{partition}")
        producer = broker.transactional_producer(identity, desk.writes(partition))
        writer = Writer(desk.namespace, partition)
        try:
            producer.init()
            offsets = committed(producer)
            restored = restore(broker, desk, partition)
            offsets = restored.where_to_read(offsets, lambda behind: _beginnings(broker, behind))
            mended = mend(broker, desk, restored, writer, time.now_ms(), horizon_ms)
            if not restored.read_to:
                mended.outputs.append(writer.read_to(offsets, mended.said_from))
            if mended.outputs:
                _transact(producer, time, mended.outputs)
                mended.apply()
        except BaseException:
            producer.close()
            raise
        until_ms = restored.newest_ms or 0
        return cls(producer, restored.visits, desk, writer, offsets, time, mended.said_from, until_ms)

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
        self._check_passes()
        now_ms = self._time.now_ms()
        due = self._visits.due(now_ms, TIMERS_A_CYCLE)
        if not due and not self._waiting and not self._late:
            return None
        plan = Plan(
            self._visits,
            self._desk,
            self._writer,
            now_ms,
            said_from=self.said_from,
            routed_until_ms=self._routed_until_ms,
            is_timed=self._time.is_known,
        )
        for visit_id in self._late:
            plan.settle(visit_id, PassLate())
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
        _transact(self._producer, self._time, plan.outputs, offsets, group if offsets else None)

    def suspect(self, passes: Iterable[tuple[str, int]]) -> None:
        """Passes, with their decide-by, of which it has to be seen whether they became visible in time."""
        self._unchecked += passes

    @property
    def suspects(self) -> list[tuple[str, int]]:
        """Passes that are late, or may be: what an heir in this process has to look at."""
        return [*((visit_id, 0) for visit_id in self._late), *self._unchecked]

    def _check_passes(self) -> None:
        """A pass that was not surely visible before its decide-by is taken back; that waits for a known time."""
        if not self._unchecked or not self._time.is_known:
            return
        now_ms = self._time.now_ms()
        self._late += [visit_id for visit_id, decide_by_ms in self._unchecked if decide_by_ms <= now_ms]
        self._unchecked.clear()

    def land(self, plan: Plan) -> None:
        """Take over what has committed."""
        self._wanted = self.wanted
        self._waiting.clear()
        plan.apply()
        self._late.clear()
        self.suspect(plan.passes())
        self._check_passes()
        report(plan.effects)
        OPEN_VISITS.labels(partition=str(self.partition)).set(self._visits.open_count)
        REMEMBERED_VISITS.labels(partition=str(self.partition)).set(self._visits.dormant_count)

    def close(self) -> None:
        """Give the producer up; a transaction that is open is aborted by the successor."""
        self._producer.close()


def _transact(
    producer: TransactionalProducer,
    time: BrokerTime,
    outputs: list[OutRecord],
    offsets: Mapping[Position, int] | None = None,
    group: GroupSnapshot | None = None,
) -> None:
    """Every transaction tells the broker's time."""
    trip = time.sending()
    time.answered(trip, producer.transact(outputs, offsets, group))


def _beginnings(broker: Broker, places: list[Position]) -> dict[Position, int]:
    with broker.reader(dict.fromkeys(places, 0)) as reader:
        return reader.beginning_offsets(places)
