"""What is sent and not acknowledged; the spool's pointer moves only over what is acknowledged whole."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from linewarden_ingest.ticket import Ticket
from linewarden_runtime.clock import Clock


@dataclass(slots=True, eq=False)
class InFlight:
    """One spooled record on its way. `pending` counts its records without acknowledgement."""

    sequence: int
    size: int
    sent_at: float
    ticket: Ticket | None = None
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that was not delivered; of a heartbeat there is no entry."""

    entry: InFlight | None
    is_frame: bool
    error: Exception

    @property
    def ticket(self) -> Ticket | None:
        """The ticket of the entry, where it has one."""
        return self.entry.ticket if self.entry else None


class Ledger:
    """Entries in the order of their sequences; acknowledgements come from the producer's thread.

    `wake` is called when there is something to settle: the oldest entry is whole, or a record failed.
    """

    def __init__(self, clock: Clock, next_sequence: int, wake: Callable[[], None] = lambda: None) -> None:
        self._clock, self._wake = clock, wake
        self._next = next_sequence
        self._entries: deque[InFlight] = deque()
        self._failures: deque[Failure] = deque()
        self._bytes = 0
        self._turn = 0
        self._lock = threading.Lock()

    @property
    def unacked_bytes(self) -> int:
        """Bytes of pictures on their way."""
        return self._bytes

    @property
    def is_empty(self) -> bool:
        """Whether everything entered is acknowledged and settled."""
        return not self._entries

    @property
    def oldest_age_s(self) -> float:
        """Seconds since the oldest entry was sent, 0 where there is none."""
        with self._lock:
            return self._clock.monotonic() - self._entries[0].sent_at if self._entries else 0.0

    def enter(self, sequence: int, size: int = 0, ticket: Ticket | None = None) -> InFlight:
        """A new entry; without pending records it counts as acknowledged."""
        entry = InFlight(sequence, size, self._clock.monotonic(), ticket)
        with self._lock:
            self._entries.append(entry)
            self._bytes += size
        return entry

    def expect(self, entry: InFlight | None, *, is_frame: bool = False) -> Callable[[Exception | None], None]:
        """One more record of the entry is about to be sent; the answer is its callback."""
        with self._lock:
            turn = self._turn
            if entry is not None:
                entry.pending += 1

        def settled(error: Exception | None) -> None:
            with self._lock:
                if turn != self._turn:
                    return
                if error is not None:
                    self._failures.append(Failure(entry, is_frame, error))
                elif entry is not None:
                    entry.pending -= 1
                is_first = bool(self._entries) and entry is self._entries[0] and entry.pending == 0
            if is_first or error is not None:
                self._wake()

        return settled

    def give_up(self, entry: InFlight) -> None:
        """A record of this entry will never be delivered, and another took its place."""
        with self._lock:
            entry.pending -= 1

    def advance(self) -> int:
        """Settle acknowledged entries from the oldest on; the sequence after them."""
        with self._lock:
            while self._entries and self._entries[0].pending == 0:
                entry = self._entries.popleft()
                self._bytes -= entry.size
                self._next = entry.sequence + 1
            return self._next

    def failures(self) -> list[Failure]:
        """Failures since they were asked for last."""
        with self._lock:
            found = list(self._failures)
            self._failures.clear()
            return found

    def forget(self) -> int:
        """Drop all entries, to be sent again, and whatever comes of them still; the sequence to begin with."""
        with self._lock:
            self._turn += 1
            self._entries.clear()
            self._failures.clear()
            self._bytes = 0
            return self._next
