"""The loop of route: poll, plan each partition, commit them side by side, remember what has committed.

One thread owns consumer, memory and recipes; only the transactions, which mostly wait, run on others.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor

import structlog

from linewarden_route.lane import Lane
from linewarden_route.metrics import RESTORE_SECONDS, RESTORES
from linewarden_route.plan import JOINED, WRITTEN, RouteDesk, TransactionPlan
from linewarden_route.probe import Probe
from linewarden_route.restore import Known
from linewarden_route.settings import RouterLimits
from linewarden_route.visits import DamagedState
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.broker_time import BrokerTime, words_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, OffsetMissing, RuntimeFault, TooLarge, TransactionFailed
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.metrics import RECORDS_DROPPED, RECORDS_READ, TRANSACTION_SECONDS, TRANSACTIONS
from linewarden_runtime.partitions import aligned_partitions
from linewarden_runtime.pending import stable_offsets
from linewarden_runtime.ports import Broker, Consumer, TransactionalProducer
from linewarden_runtime.records import GroupSnapshot, InRecord, Position

_log = structlog.get_logger(__name__)


class Router:
    """Owns the partitions that the group gives it, one lane each."""

    def __init__(
        self,
        broker: Broker,
        consumer: Consumer,
        desk: RouteDesk,
        clock: Clock,
        *,
        limits: RouterLimits | None = None,
        beat: Callable[[], None] = lambda: None,
        ready: Callable[[bool], None] = lambda _: None,
        jitter: Callable[[], float] = random.random,
        executor: Executor | None = None,
        unwell: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        self._broker, self._consumer, self._desk, self._clock = broker, consumer, desk, clock
        self._limits = limits or RouterLimits()
        self._beat, self._ready, self._unwell = beat, ready, unwell
        self._time = BrokerTime(clock, "route", stamps=desk.append_time)
        self._probe = Probe(broker, desk.namespace, desk.partitions, self._time, clock)
        self._suspects: dict[int, list[tuple[str, int]]] = {}
        """By partition: passes of a lane that failed, of which it is not known when they became visible."""
        self._known: dict[int, tuple[float, Known]] = {}
        """By partition: what a lane that failed knew, and when it failed."""
        self._backoff = Backoff(2.0 * self._limits.backoff_s, self._limits.max_backoff_s, chance=jitter)
        self._name = desk.namespace.group("route")
        self._topics = [desk.namespace.topic(name) for name in JOINED]
        self._lanes: dict[int, Lane] = {}
        self._failures: Counter[int] = Counter()
        self._set_back: set[Position] = set()
        """Positions that were sought since the last poll, whose records are void."""
        self._is_stable = False
        self._stable_at = self._marked_s = clock.monotonic()
        self._stop = Stop()
        self._threads = executor or ThreadPoolExecutor(self._limits.threads, thread_name_prefix="route")

    def run(self, stop: Stop) -> None:
        """Turn until asked to stop; a transaction that has begun is finished.

        Raises:
            Fenced: somebody else owns a partition or this member's name; the process must end.
            AssignmentNotAligned: the group dealt out the joined topics apart.
            TransactionFailed: too many failures in a row.
            DeadLetterCapExceeded: too many records could not be handled; what was given up is committed.
        """
        self._stop = stop
        try:
            while not stop.is_set():
                self.step()
            for lane in self._lanes.values():
                lane.leave()
        finally:
            self.close()

    def step(self) -> None:
        """Turn once: poll, give partitions their records and timers, take back what is done; raises what ends it."""
        self._beat()
        records = self._read()
        group = self._consumer.group()
        self._is_stable = group.may_commit
        if not self._is_stable:
            self._ready(False)
            self._lose(records)
            return
        self._stable_at = self._clock.monotonic()
        self._probe.ask()
        self._tell_clock()
        self._own(group)
        self._mark()
        self._desk.look()
        self._take_in(records)
        self._work(group)

    def close(self) -> None:
        """Give every partition up: waits for transactions in hand, then closes the producers. Begins none."""
        self._threads.shutdown()
        self._probe.close()
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()

    @property
    def partitions(self) -> frozenset[int]:
        """Numbers of the partitions that are owned and restored."""
        return frozenset(self._lanes)

    def _read(self) -> list[InRecord]:
        """Wait for records, at most to the next timer; then let those that come at once join the transaction."""
        # What is polled now was fetched after those seeks.
        self._set_back.clear()
        records = self._consumer.poll(self._patience_s(), self._limits.max_records)
        if records and self._limits.gather_s > 0.0 and len(records) < self._limits.max_records:
            records += self._consumer.poll(self._limits.gather_s, self._limits.max_records)
        return records

    def _patience_s(self) -> float:
        due = [due_ms for lane in self._lanes.values() if (due_ms := lane.next_due_ms()) is not None]
        if not self._is_stable:
            # Longer the longer it lasts: the answer to a join has to come within a poll, or nobody takes it in (D11).
            return max(self._limits.idle_poll_s, min(self._limits.join_poll_s, self._unstable_s() / 2))
        if not due:
            return self._limits.idle_poll_s
        return min(self._limits.idle_poll_s, max(0.0, (min(due) - self._time.now_ms()) / 1000))

    def _unstable_s(self) -> float:
        return self._clock.monotonic() - self._stable_at

    def _lose(self, records: list[InRecord]) -> None:
        """Between generations nobody could check a commit: forget what was read, and read it again.

        Raises BrokerUnavailable when that lasts: a process that starts anew joins anew.
        """
        if self._unstable_s() > self._limits.unstable_s:
            raise BrokerUnavailable(f"no stable place in the group for {self._unstable_s():.0f} s")
        if records:
            RECORDS_DROPPED.labels(group=self._name, cause="not-stable").inc(len(records))
        for lane in self._lanes.values():
            self._rewind(lane)

    def _own(self, group: GroupSnapshot) -> None:
        """Close lanes of partitions that went, open those that came.

        A partition that could not be opened is tried again at the next turn; until then its records are passed
        over, and opening it goes back to what is committed.
        """
        owned = aligned_partitions(self._consumer.assignment(), self._topics)
        for number in sorted(self._lanes.keys() - owned):
            _log.info("partition given up", partition=number, generation=group.generation)
            self._lanes.pop(number).close()
        # Of a partition that went, its owner meanwhile has written what this memory lacks.
        self._known = {number: known for number, known in self._known.items() if number in owned}
        for number in sorted(owned - self._lanes.keys()):
            if self._has_start(number):
                self._open(number, "assigned", group)
        self._ready(owned == self._lanes.keys())

    def _has_start(self, partition: int) -> bool:
        """Whether the group has offsets; if not, the next poll chooses where a new group starts."""
        try:
            return None not in self._consumer.committed(self._positions(partition)).values()
        except BrokerUnavailable:
            return True  # only offsets that exist are kept back

    def _open(self, partition: int, reason: str, group: GroupSnapshot, *, thorough: bool = False) -> None:
        began = self._clock.monotonic()
        failed_s, known = self._known.get(partition, (0.0, None))
        try:
            lane = Lane.open(
                self._broker,
                self._desk,
                partition,
                lambda producer: self._committed(partition, producer, group),
                self._time,
                self._limits.adopt_horizon_ms,
                thorough=thorough,
                known=None if thorough or began - failed_s > self._limits.known_s else known,
            )
        except (TransactionFailed, BrokerUnavailable) as failure:
            self._count_failure(partition, failure)
            return
        RESTORES.labels(reason=reason).inc()
        RESTORE_SECONDS.observe(self._clock.monotonic() - began)
        # On top of what the log says: of these it was known here alone that they may be late.
        lane.suspect(self._suspects.pop(partition, ()))
        self._known.pop(partition, None)
        self._lanes[partition] = lane
        self._rewind(lane)
        _log.info("partition restored", partition=partition, reason=reason)

    def _mark(self) -> None:
        """Note once in a while where the topics end, while no transaction is on its way: the memory has all of it."""
        now_s = self._clock.monotonic()
        if not self._lanes or now_s - self._marked_s < self._limits.mark_s:
            return
        self._marked_s = now_s
        topics = {name: self._desk.namespace.topic(name) for name in WRITTEN}
        places = [Position(topic, number) for topic in topics.values() for number in self._lanes]
        try:
            ends = self._consumer.end_offsets(places)
        except BrokerUnavailable:
            return  # an heir looks further back, no more
        for number, lane in self._lanes.items():
            lane.agreed = {name: ends[Position(topic, number)] for name, topic in topics.items()}

    def _positions(self, partition: int) -> list[Position]:
        return [Position(topic, partition) for topic in self._topics]

    def _committed(
        self, partition: int, producer: TransactionalProducer, group: GroupSnapshot
    ) -> Mapping[Position, int]:
        found = stable_offsets(self._consumer, self._positions(partition), producer, group)
        if None in found.values():
            raise OffsetMissing(f"the group's offsets of partition {partition} are gone: {found}")
        return {position: offset for position, offset in found.items() if offset is not None}

    def _rewind(self, lane: Lane) -> None:
        lane.drop_waiting()
        assigned = self._consumer.assignment()
        for position, offset in lane.wanted.items():
            if position in assigned:
                self._consumer.seek(position, offset)
                self._set_back.add(position)

    def _take_in(self, records: list[InRecord]) -> None:
        """Queue what was polled; of a partition that was set back since, it comes once more and in its order."""
        if records:
            self._time.saw(max(record.timestamp_ms for record in records))
        for record in records:
            lane = self._lanes.get(record.partition)
            if lane is not None and record.position not in self._set_back:
                lane.take_in(record)
                RECORDS_READ.labels(group=self._name).inc()

    def _tell_clock(self) -> None:
        error_ms, is_known = self._time.error_ms(), self._time.is_known
        found = {}
        if not self._time.stamps:
            found["append times"] = "this broker keeps the producers' time: a demo, no mode for production"
        if not is_known:
            found["broker time"] = "not known, so nothing passes: a clock was stepped, or no broker answers"
        # A clock that is wrong by more than a second is told; nothing is judged by it.
        elif error_ms is not None and abs(error_ms) > 1_000:
            found["clock"] = words_of(error_ms)
        self._unwell(found)

    def _work(self, group: GroupSnapshot) -> None:
        plans = {number: plan for number in list(self._lanes) if (plan := self._plan(number, group)) is not None}
        running = {number: self._threads.submit(self._commit, number, plan, group) for number, plan in plans.items()}
        failed = {number: failure for number, run in running.items() if (failure := run.result()) is not None}
        for number in plans.keys() - failed.keys():
            self._lanes[number].land(plans[number])
            del self._failures[number]
        # After those that committed, since this may end the process.
        for number, failure in failed.items():
            if isinstance(failure, TooLarge):
                self._lanes[number].shrink(plans[number], failure)
            else:
                self._start_over(number, failure, group, plans[number].passes())
        if self._desk.poison.is_exceeded:
            for lane in self._lanes.values():
                # What was given up is committed; said as seen too, or a start after this stop would give it up once
                # more.
                lane.confirm()
            self._desk.poison.require_within_cap()

    def _plan(self, partition: int, group: GroupSnapshot) -> TransactionPlan | None:
        """What a partition has to do; where a state cannot be read, the partition is restored from what readers see."""
        lane = self._lanes[partition]
        try:
            return lane.plan()
        except DamagedState as damage:
            _log.error("a partition is restored thoroughly", partition=partition, why=str(damage))
            self._suspects[partition] = lane.suspects
            self._lanes.pop(partition).close()
            self._open(partition, "damaged-state", group, thorough=True)
            return None

    def _commit(
        self, partition: int, plan: TransactionPlan, group: GroupSnapshot
    ) -> TransactionFailed | TooLarge | None:
        began = self._clock.monotonic()
        try:
            self._lanes[partition].commit(plan, group)
        except (TransactionFailed, TooLarge) as failure:
            return failure
        TRANSACTIONS.labels(group=self._name, outcome="committed").inc()
        TRANSACTION_SECONDS.labels(group=self._name).observe(self._clock.monotonic() - began)
        return None

    def _start_over(
        self, partition: int, failure: TransactionFailed, group: GroupSnapshot, passes: list[tuple[str, int]]
    ) -> None:
        """Whether it committed, with its passes, is unknown: the memory without it, and what is visible, tell."""
        TRANSACTIONS.labels(group=self._name, outcome="failed").inc()
        lane = self._lanes.pop(partition)
        # The passes of the failed plan too: it may have committed, and have been visible late.
        self._suspects[partition] = [*lane.suspects, *passes]
        self._known[partition] = self._clock.monotonic(), lane.known()
        lane.close()
        self._count_failure(partition, failure)
        self._open(partition, "transaction-failed", group)

    def _count_failure(self, partition: int, failure: RuntimeFault) -> None:
        self._failures[partition] += 1
        in_a_row = self._failures[partition]
        _log.warning("partition failed", partition=partition, failure=str(failure), in_a_row=in_a_row)
        if in_a_row >= self._limits.failures:
            raise failure
        self._stop.wait(self._clock, self._backoff.wait_s(in_a_row))
