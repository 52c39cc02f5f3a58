"""From dispositions to an output: handed over in order, and committed once it has acknowledged them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from linewarden_onward.metrics import ACTUATIONS, LAG, OLDEST_SECONDS, PASSED_OVER
from linewarden_onward.teller import Teller, Telling
from linewarden_onward.tenure import Tenure
from linewarden_runtime.background import Background
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.broker_time import BrokerTime, words_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import BrokerUnavailable, TransactionFailed
from linewarden_runtime.events import event_record
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.metrics import RECORDS_DONE, RECORDS_READ
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Consumer
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position, next_offsets
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import Cause

_FAILURES = 8
"""Failed transactions in a row after which the process ends."""
_BUSY_WAIT_S = 0.05
_LOOK_S = 5.0
"""How often lag and clock are looked at."""
_log = structlog.get_logger(__name__)


class OnwardLoop:
    """Reads on only when all that it handed over is acknowledged and committed."""

    def __init__(
        self,
        consumer: Consumer,
        tenure: Tenure,
        teller: Teller,
        dead_letters: DeadLetters,
        time: BrokerTime,
        clock: Clock,
        health: Health,
        *,
        namespace: Namespace,
        output_id: str,
        line_id: str,
        partitions: int,
        wake: threading.Event,
        max_records: int = 64,
        idle_poll_s: float = 0.1,
        simulated_opens: bool = False,
    ) -> None:
        self._consumer, self._tenure, self._teller, self._dead_letters = consumer, tenure, teller, dead_letters
        self._time, self._clock, self._health, self._wake = time, clock, health, wake
        self._actuation_topic, self._source = namespace.topic("actuations"), namespace.source("onward")
        self._output_id, self._line_id, self._partitions = output_id, line_id, partitions
        self._max_records, self._idle_poll_s, self._simulated_opens = max_records, idle_poll_s, simulated_opens
        self._backoff = Backoff(0.2, 5.0)
        self._stop = Stop()
        self._group: GroupSnapshot | None = None
        self._next: dict[Position, int] = {}
        """Of each partition the offset behind what was handed over."""
        self._committed: dict[Position, int] = {}
        self._told: dict[str, InRecord] = {}
        """What is being told, by the key of its notice."""
        self._read_count = 0
        self._handed: dict[Position, int] = {}
        self._owed: dict[Position, int] = {}
        self._letters: list[OutRecord] = []
        self._acts: list[Actuation] = []
        self._failures, self._looked_s = 0, float("-inf")

    def run(self, stop: Stop) -> None:
        """Turn until asked to stop; what is acknowledged by then is committed.

        Raises:
            Fenced: another process acts for this output.
            TransactionFailed, BrokerUnavailable: the broker failed too often in a row.
            DeadLetterCapExceeded: the receiver refused too many; what was given up is committed.
        """
        self._stop = stop
        with Background(f"output {self._output_id}", self._teller.run, stop):
            while not stop.is_set():
                self.step()
        self._collect()
        self._commit()

    @property
    def teller(self) -> Teller:
        """Whoever speaks to the output; `run` turns it on a thread of its own, a test by hand."""
        return self._teller

    def step(self) -> None:
        """Turn once: commit what was acknowledged, and read on where nothing waits."""
        self._health.beat()
        self._collect()
        self._commit()
        self._read()
        self._look()

    @property
    def _is_free(self) -> bool:
        return not (self._handed or self._owed)

    def _collect(self) -> None:
        """Take what the output acknowledged or refused, and what its gate did."""
        self._acts += self._teller.actuations()
        refused = self._teller.answer() if self._handed else None
        if refused is None:
            return
        for one in refused:
            record, detail = self._told[one.notice.key], str(one)
            visit_id = one.notice.disposition.visit_id
            self._letters.append(self._dead_letters.letter(record, one.cause, detail, visit_id=visit_id))
        self._dead_letters.passed(len(self._told) - len(refused))
        self._owed, self._handed, self._told = self._owed | self._handed, {}, {}

    def _commit(self) -> None:
        """Commit what is owed, write what the gate did, and renew this process's word."""
        group = self._consumer.group()
        # A letter goes with its offset, so that neither is there twice.
        may_commit = group.may_commit and not self._handed
        offsets, letters = (self._owed, self._letters) if may_commit else ({}, [])
        acts = [self._record(one) for one in self._acts]
        try:
            self._tenure.transact([*acts, *letters], offsets, group)
        except (TransactionFailed, BrokerUnavailable) as failure:
            self._start_over(failure)
            return
        self._failures = 0
        ACTUATIONS.labels(output=self._output_id).inc(len(acts))
        self._acts = []
        if offsets:
            RECORDS_DONE.labels(group=group.group).inc(self._read_count)
            self._committed |= offsets
            self._owed, self._letters = {}, []
            self._dead_letters.require_within_cap()

    def _start_over(self, failure: Exception) -> None:
        """Take a new producer; what is owed stays owed, since its fate is unknown and it may be written twice."""
        while True:
            self._failures += 1
            _log.warning("transaction failed", failure=str(failure), in_a_row=self._failures)
            self._health.not_ready("log", f"the broker does not confirm, so nothing is told: {failure}")
            if self._failures >= _FAILURES or self._stop.is_set():
                raise failure
            self._stop.wait(self._clock, self._backoff.wait_s(self._failures))
            self._health.beat()
            try:
                self._tenure.retake()
            except (TransactionFailed, BrokerUnavailable) as again:
                failure = again
            else:
                self._health.ready("log")
                return

    def _read(self) -> None:
        if self._is_free:
            self._consumer.resume(self._consumer.paused())
            records = self._consumer.poll(self._idle_poll_s, self._max_records)
        else:
            self._clock.wait(self._wake, _BUSY_WAIT_S)
            # Polled all the same: the group gives up a member that does not poll. One that it gave up comes back in a
            # poll that waits, and by none that does not: what is owed would be owed for ever.
            self._consumer.pause(self._consumer.assignment() - self._consumer.paused())
            wait_s = 0.0 if self._consumer.group().may_commit else self._idle_poll_s
            records = self._consumer.poll(wait_s, self._max_records)
        self._wake.clear()
        group = self._consumer.group()
        if not group.may_commit or (records and not self._is_free):
            self._group = None  # read again from where we stand, once it is a member
        elif self._group is None or not group.same_generation(self._group):
            self._go_on(group)
        elif records and self._is_free:
            self._take(records, group)

    def _go_on(self, group: GroupSnapshot) -> None:
        """Stand in every partition behind what was handed over, or where the group committed; what was polled goes."""
        positions = self._consumer.assignment()
        try:
            committed = self._tenure.stable_offsets(self._consumer, positions, group)
        except (TransactionFailed, BrokerUnavailable) as failure:
            self._start_over(failure)
            return  # the group is still new, and asked again
        for position, offset in committed.items():
            if offset is not None:
                self._committed[position] = offset
                self._consumer.seek(position, max(offset, self._next.get(position, 0)))
        self._group = group

    def _take(self, records: Sequence[InRecord], group: GroupSnapshot) -> None:
        self._read_count = len(records)
        RECORDS_READ.labels(group=group.group).inc(self._read_count)
        self._time.saw(max(record.timestamp_ms for record in records))
        offsets = next_offsets(records)
        self._next |= offsets
        tellings: list[Telling] = []
        for record in records:
            disposition = self._disposition(record)
            if disposition is not None:
                tellings.append(Telling(disposition, record.timestamp_ms))
                self._told[f"{disposition.visit_id}:{disposition.revision}"] = record
        if tellings:
            self._handed = offsets
            self._teller.hand_over(tellings)
        else:
            self._owed = offsets

    def _disposition(self, record: InRecord) -> Disposition | None:
        """What is to be told; None for what is none, which becomes a dead letter, and for what is not the receiver's.

        That is another line's, and a known-bad: a picture alone, whose trigger was another part's.
        """
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError as error:
            self._letters.append(self._dead_letters.letter(record, "unreadable", str(error)))
            return None
        if not isinstance(message, Disposition):
            self._letters.append(self._dead_letters.letter(record, "unreadable", f"{message.TYPE} is no disposition"))
            return None
        if message.line_id != self._line_id:
            cause = "other_line"
        elif Cause.KNOWN_BAD in message.causes:
            cause = Cause.KNOWN_BAD.value
        else:
            return message
        PASSED_OVER.labels(output=self._output_id, cause=cause).inc()
        return None

    def _record(self, act: Actuation) -> OutRecord:
        partition = partition_of(act.visit_id, self._partitions)
        return event_record(
            self._actuation_topic,
            act.visit_id,
            act,
            id=f"{act.visit_id}.{self._output_id}",
            source=self._source,
            time_ms=act.at_ms,
            partition=partition,
        )

    def _look(self) -> None:
        """Tell how far behind the output is, and what is not as it should be."""
        oldest_ms = min((record.timestamp_ms for record in self._told.values()), default=None)
        age_ms = 0 if oldest_ms is None else max(0, self._time.now_ms() - oldest_ms)
        OLDEST_SECONDS.labels(output=self._output_id).set(age_ms / 1000)
        if self._clock.monotonic() - self._looked_s < _LOOK_S:
            return
        self._looked_s = self._clock.monotonic()
        self._health.unwell(self._unwell())
        if self._group is None:
            return  # it stands nowhere yet, and a group without offsets has no position to ask for
        try:
            ends = self._consumer.end_offsets(self._consumer.assignment())
        except BrokerUnavailable as failure:
            _log.warning("the lag is not known", failure=str(failure))
        else:
            # Behind the last record lie markers, past which a position moves and a committed offset does not.
            done = {one: self._consumer.position(one) for one in ends} if self._is_free else self._committed
            lag = sum(max(0, end - done.get(position, end)) for position, end in ends.items())
            LAG.labels(output=self._output_id).set(lag)

    def _unwell(self) -> dict[str, str]:
        found: dict[str, str] = {}
        error_ms = self._time.error_ms()
        if not self._time.stamps:
            found["append times"] = "this broker keeps the producers' time: a demo, no mode for production"
        if not self._time.is_known:
            found["broker time"] = "not known, so nothing opens: a clock was stepped, or no broker answers"
        elif error_ms is not None and abs(error_ms) > 1_000:
            found["clock"] = words_of(error_ms)
        if self._simulated_opens:
            found["simulated parts"] = "they open the gate: simulated_opens is set, for demos and tests alone"
        return found
