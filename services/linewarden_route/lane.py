"""One partition that this process owns: its memory, its transactional producer, and how far it has read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from linewarden_route.metrics import OPEN_VISITS, REMEMBERED_VISITS, report
from linewarden_route.passes import GivenPasses
from linewarden_route.plan import RouteDesk, TransactionPlan
from linewarden_route.restore import Known, Restored, mend, restore
from linewarden_route.visits import DamagedState, Visits
from linewarden_route.writing import Writer
from linewarden_runtime.broker_time import BrokerTime, Trip
from linewarden_runtime.errors import Fenced, TooLarge, TransactionFailed
from linewarden_runtime.ports import Broker, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position, next_offsets
from linewarden_schemas.envelope import Unwritable

TIMERS_A_CYCLE = 500
"""Bounds a transaction after a long absence; the rest follows in the next cycle at once."""


class Lane:
    """The owner of one partition. After any failure it is closed and a new one is opened in its place."""

    def __init__(
        self,
        producer: TransactionalProducer,
        visits: Visits,
        desk: RouteDesk,
        writer: Writer,
        offsets: Mapping[Position, int],
        time: BrokerTime,
        agreed: Mapping[str, int],
        routed_until_ms: int,
    ) -> None:
        self._producer, self._visits, self._desk, self._writer = producer, visits, desk, writer
        self._time, self._routed_until_ms = time, routed_until_ms
        self._wanted = dict(offsets)
        self._waiting: list[InRecord] = []
        self._passes = GivenPasses(time, desk.lines)
        self._told = dict(offsets)
        """How far `route-state` says that the partition was read."""
        self._confirm_at_ms: int | None = None
        """When it is to be said that no pass is unseen; None where nothing says that one is."""
        self._careful, self._timers = 0, TIMERS_A_CYCLE
        self._halved: Counter[str] = Counter()
        self._is_held_back = False
        self._unfit: dict[tuple[Position, int], str] = {}
        self._newest_ms = routed_until_ms
        """Append time of the last transaction."""
        self._trip: Trip | None = None
        """When it was sent."""
        self.agreed = agreed
        """Ends of the topics that are written, by logical name, at a time when they and the memory said the same.

        The nearer, the quicker a restore.
        """

    @classmethod
    def open(
        cls,
        broker: Broker,
        desk: RouteDesk,
        partition: int,
        committed: Callable[[TransactionalProducer], Mapping[Position, int]],
        time: BrokerTime,
        horizon_ms: int,
        *,
        thorough: bool = False,
        known: Known | None = None,
    ) -> Lane:
        """Fence the predecessor, and only then fetch its offsets, restore its memory, mend what was torn.

        `thorough` reads the states of all final visits, and replaces damaged ones by what `dispositions` tell. `known`
        is what a predecessor in this process knew.

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
            restored, mended = _restored(broker, desk, writer, time, horizon_ms, known, thorough=thorough)
            offsets = restored.where_to_read(offsets, broker)
            unseen = [*restored.unseen.items(), *mended.passes()]
            if not restored.read_to or mended.passes():
                mended.outputs.append(writer.read_to(offsets, mended.said_from, unseen))
            if mended.outputs:
                _transact(producer, time, mended.outputs)
                mended.apply()
        except BaseException:
            producer.close()
            raise
        lane = cls(producer, restored.visits, desk, writer, offsets, time, restored.ends, restored.newest_ms or 0)
        lane.suspect(unseen)
        lane._passes.decided([*restored.passes, *mended.given()])
        return lane

    @property
    def partition(self) -> int:
        """The number of the partition, the same in every topic keyed by visit."""
        return self._writer.partition

    @property
    def said_from(self) -> int:
        """An offset of `dispositions` at or beyond which all that is said from now on will lie."""
        return self.agreed["dispositions"]

    def known(self) -> Known:
        """What an heir in this process takes over, after a transaction of which nobody knows whether it committed."""
        return Known(self._visits, self.agreed, self._told, self._passes.suspects, self._newest_ms or None)

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

    def plan(self) -> TransactionPlan | None:
        """What is to be done now: due timers first, so that nothing late is decided as if in time; None if nothing.

        Raises:
            DamagedState: where the state of a visit that this is about cannot be read; open the lane anew, thoroughly.
        """
        self._passes.check()
        # By one look at the clock for timers and records alike, so that none of them sees another time.
        now_ms = self._time.now_ms()
        due = self._visits.due(now_ms, self._timers)
        if not due and not self._waiting and not self._passes.wrong:
            # The last passes were seen in time, and nothing else says so.
            if self._confirm_at_ms is None or self._passes.are_doubted or now_ms < self._confirm_at_ms:
                return None
            plan = TransactionPlan(self._visits, self._desk, self._writer, now_ms)
            self._say_read(plan)
            return plan
        plan = TransactionPlan(
            self._visits,
            self._desk,
            self._writer,
            now_ms,
            said_from=self.said_from,
            routed_until_ms=self._routed_until_ms,
            is_timed=self._time.is_known,
        )
        try:
            self._fill(plan, due)
        except Unwritable as refusal:
            self.shrink(plan, refusal)
            return self.plan()
        return plan

    def _fill(self, plan: TransactionPlan, due: list[str]) -> None:
        for visit_id, why in self._passes.wrong:
            plan.settle(visit_id, why)
        for visit_id in due:
            for _ in range(self._halved[visit_id]):
                plan.halve(visit_id)
        plan.run_timers(due)
        # After a plan that cannot be written a timer or a record, never both, or nobody knew which of them is to blame.
        next_up = self._waiting if not self._careful else [] if due else self._waiting[:1]
        for record in next_up:
            unfit = self._unfit.get((record.position, record.offset))
            if unfit is None:
                plan.take(record)
            else:
                plan.refuse(record, "unwritable", unfit)
            # What is behind stays unread for whoever starts after the stop.
            if self._desk.poison.is_exceeded:
                break
        plan.finish()
        if plan.taken or self._confirm_at_ms is not None:
            self._say_read(plan)

    def _say_read(self, plan: TransactionPlan) -> None:
        read_to = self._wanted | next_offsets(plan.taken) if plan.taken else dict(self._told)
        # Not past a record whose dead letter might not be seen.
        for record in plan.lettered:
            read_to[record.position] = min(read_to[record.position], record.offset)
        plan.read_to = read_to
        unseen = [*self._passes.doubted, *plan.passes()]
        plan.outputs.append(self._writer.read_to(read_to, self.said_from, unseen))

    def commit(self, plan: TransactionPlan, group: GroupSnapshot) -> None:
        """Publish a plan with the offsets of the records it came from; safe on another thread.

        Raises Fenced, TransactionFailed, after which the lane is of no more use, and TooLarge, before anything began.
        """
        offsets = next_offsets(plan.taken)
        self._trip, stamp_ms = _transact(self._producer, self._time, plan.outputs, offsets, group if offsets else None)
        self._newest_ms = max(self._newest_ms, plan.now_ms if stamp_ms is None else stamp_ms)

    def suspect(self, passes: Iterable[tuple[str, int]], sent: Trip | None = None) -> None:
        """Passes, with their decide-by, of which it has to be seen whether they became visible in time."""
        self._passes.suspect(passes, sent)
        if self._passes.are_doubted:
            # Quiet for so long, the partition says by itself that they were seen in time; else its next transaction.
            self._confirm_at_ms = self._time.now_ms() + 1_000

    @property
    def suspects(self) -> list[tuple[str, int]]:
        """Passes that are late, or may be: what an heir in this process has to look at."""
        return self._passes.suspects

    def shrink(self, plan: TransactionPlan, refusal: TooLarge | Unwritable) -> None:
        """Go on record by record after a plan that cannot be written; a record of which alone it cannot is given up.

        A visit that cannot be written when its time is over forgets half of its frames, and diverts for it. Raises what
        was refused where nothing is to blame.
        """
        if len(plan.taken) + len(plan.due) > 1:
            # One by one, timers too: a visit whose time is over may be what cannot be written.
            self._careful, self._timers = max(1, len(plan.taken)), 1
        elif plan.taken:
            [record] = plan.taken
            self._unfit[record.position, record.offset] = str(refusal)
        elif not plan.due or self._halved[plan.due[0]] >= 8:  # halved so often it is not to blame
            raise refusal
        else:
            self._halved[plan.due[0]] += 1

    def land(self, plan: TransactionPlan) -> None:
        """Take over what has committed."""
        self._wanted |= next_offsets(plan.taken)
        # They were taken from the front, and nothing is queued while a transaction is on its way.
        del self._waiting[: len(plan.taken)]
        self._careful = max(0, self._careful - len(plan.taken))
        if not self._careful:
            self._timers = TIMERS_A_CYCLE
        self._unfit.clear()
        self._halved.clear()
        if plan.taken:
            self._is_held_back = bool(plan.lettered)
        if plan.read_to is not None:
            self._told, self._confirm_at_ms = plan.read_to, None
        plan.apply()
        self._passes.taken_back()
        self.suspect(plan.passes(), self._trip)
        self._passes.decided(plan.given())
        self._passes.check()
        report(plan.effects)
        OPEN_VISITS.labels(partition=str(self.partition)).set(self._visits.open_count)
        REMEMBERED_VISITS.labels(partition=str(self.partition)).set(self._visits.dormant_count)

    def confirm(self) -> None:
        """Say that the last dead letters can be seen, so that their records aren't read again; at best effort."""
        if not self._is_held_back:
            return
        try:
            _transact(self._producer, self._time, [self._writer.read_to(self._wanted, self.said_from, self.suspects)])
        except TransactionFailed:
            return  # they are read and given up once more
        self._is_held_back = False

    def leave(self) -> None:
        """Say that the last passes were seen in time, so that no heir doubts them; at best effort."""
        self._passes.check()
        if self._confirm_at_ms is None or self._passes.are_doubted or self._passes.wrong:
            return
        try:
            _transact(self._producer, self._time, [self._writer.read_to(self._told, self.said_from)])
        except (TransactionFailed, Fenced):
            return  # the heir takes them for late where it comes after their decide-by

    def close(self) -> None:
        """Give the producer up; a transaction that is open is aborted by the successor."""
        self._producer.close()


def _restored(
    broker: Broker,
    desk: RouteDesk,
    writer: Writer,
    time: BrokerTime,
    horizon_ms: int,
    known: Known | None,
    *,
    thorough: bool,
) -> tuple[Restored, TransactionPlan]:
    try:
        restored = restore(broker, desk, writer.partition, thorough=thorough, known=known)
        if restored.newest_ms is not None:
            time.saw(restored.newest_ms)  # better than a wall clock, while nothing else is known
        return restored, mend(broker, desk, restored, writer, time.now_ms(), horizon_ms)
    except DamagedState:
        if thorough:
            raise
        # Final states are left unread until one is needed; it is, and it cannot be read, so all are looked at.
        return _restored(broker, desk, writer, time, horizon_ms, None, thorough=True)


def _transact(
    producer: TransactionalProducer,
    time: BrokerTime,
    outputs: list[OutRecord],
    offsets: Mapping[Position, int] | None = None,
    group: GroupSnapshot | None = None,
) -> tuple[Trip, int | None]:
    """Every transaction tells the broker's time: when it was sent, and when appended (epoch ms)."""
    trip = time.sending()
    stamp_ms = producer.transact(outputs, offsets, group)
    time.answered(trip, stamp_ms)
    return trip, stamp_ms
