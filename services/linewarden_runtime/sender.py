"""A sender with a bound: bytes in flight, a ledger of what is not acknowledged, and a cure for a stuck producer.

The client library takes records without limit and, once it gave up a retried batch, never sends again without
telling. So this sender counts bytes, keeps every record until its acknowledgement, and replaces a producer whose
oldest record waits too long: everything in the ledger is sent again, in order. Duplicates may result, losses not.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.errors import BackpressureTimeout, DeliveryFailed, TooLarge
from linewarden_runtime.metrics import PRODUCERS_REPLACED, UNACKED_AGE_SECONDS, UNACKED_BYTES
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Entry:
    record: OutRecord
    taken_at: float
    sent_at: float
    failed: bool = False


class BoundedSender:
    """Sends records of one owner; `acknowledged(token)` is called once each, from the producer's thread.

    The owner calls `tend` regularly, at least every few seconds, and from one thread only, as it does `send`.
    """

    def __init__(
        self,
        make_producer: Callable[[], Producer],
        acknowledged: Callable[[Hashable], None],
        *,
        name: str = "sender",
        max_bytes: int = 64 << 20,
        block_s: float = 1.0,
        stuck_after_s: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self._make_producer = make_producer
        self._acknowledged = acknowledged
        self._name = name
        self._max_bytes, self._block_s, self._stuck_after_s = max_bytes, block_s, stuck_after_s
        self._clock = clock or SystemClock()
        self._producer = make_producer()
        self._round = 0
        self._ledger: dict[Hashable, _Entry] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._freed = threading.Event()

    def send(self, record: OutRecord, token: Hashable) -> None:
        """Take a record over, waiting at most `block_s` for room.

        Raises:
            BackpressureTimeout: there was no room; the record is still the caller's.
            TooLarge: it can never be sent; the record is still the caller's.
        """
        self._reserve(record.size)
        with self._lock:
            if token in self._ledger:
                self._bytes -= record.size
                raise ValueError(f"token {token!r} is in flight already")
            now = self._clock.monotonic()
            self._ledger[token] = _Entry(record, taken_at=now, sent_at=now)
        try:
            self._dispatch(token, record)
        except TooLarge:
            self._forget(token)
            raise

    def _reserve(self, size: int) -> None:
        deadline = self._clock.monotonic() + self._block_s
        while True:
            with self._lock:
                # One record always fits, however large, or it could never be sent.
                if self._bytes == 0 or self._bytes + size <= self._max_bytes:
                    self._bytes += size
                    return
                self._freed.clear()
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise BackpressureTimeout(f"{self._bytes} bytes are in flight; {self._max_bytes} are allowed")
            self._clock.wait(self._freed, left)

    def _dispatch(self, token: Hashable, record: OutRecord) -> None:
        turn = self._round
        try:
            delivery = self._producer.send(record)
        except TooLarge:
            raise
        except DeliveryFailed as failure:
            self._decided(token, turn, failure)
            return
        delivery.add_done_callback(lambda failure: self._decided(token, turn, failure))

    def _decided(self, token: Hashable, turn: int, failure: Exception | None) -> None:
        """Take in an answer; one of a producer that was replaced since counts only if it is good."""
        with self._lock:
            entry = self._ledger.get(token)
            if entry is None:
                return
            if failure is not None:
                entry.failed = entry.failed or turn == self._round
                return
        self._forget(token)
        self._acknowledged(token)

    def _forget(self, token: Hashable) -> None:
        with self._lock:
            entry = self._ledger.pop(token, None)
            if entry is not None:
                self._bytes -= entry.record.size
                UNACKED_BYTES.labels(sender=self._name).set(self._bytes)
        self._freed.set()

    def oldest_age_s(self) -> float:
        """Age of the oldest record not acknowledged; 0 if there is none."""
        with self._lock:
            oldest = next(iter(self._ledger.values()), None)
            return 0.0 if oldest is None else self._clock.monotonic() - oldest.taken_at

    def in_flight(self) -> int:
        """How many records are not acknowledged."""
        return len(self._ledger)

    def tend(self) -> None:
        """Send failed records again; replace a producer that stopped delivering."""
        UNACKED_AGE_SECONDS.labels(sender=self._name).set(self.oldest_age_s())
        with self._lock:
            failed = any(entry.failed for entry in self._ledger.values())
            oldest = next(iter(self._ledger.values()), None)
            now = self._clock.monotonic()
            stuck = oldest is not None and now - oldest.sent_at > self._stuck_after_s
        if failed or stuck:
            self._replace("failed" if failed else "stuck")

    def _replace(self, cause: str) -> None:
        """Take a new producer and send the whole ledger again, oldest first."""
        _log.warning("producer replaced", sender=self._name, cause=cause, records=len(self._ledger))
        PRODUCERS_REPLACED.labels(sender=self._name).inc()
        with self._lock:
            self._round += 1
        self._producer.close()
        self._producer = self._make_producer()
        with self._lock:
            waiting = list(self._ledger.items())
            for _, entry in waiting:
                entry.failed, entry.sent_at = False, self._clock.monotonic()
        for token, entry in waiting:
            self._dispatch(token, entry.record)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything is acknowledged, tending meanwhile; whether it was."""
        deadline = self._clock.monotonic() + timeout_s
        while self._ledger and self._clock.monotonic() < deadline:
            self.tend()
            self._freed.clear()
            if self._ledger:
                self._clock.wait(self._freed, 0.1)
        return not self._ledger

    def close(self) -> None:
        """Close the producer; what is not acknowledged stays with the owner's spool."""
        self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
