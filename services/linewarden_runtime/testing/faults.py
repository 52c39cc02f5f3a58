"""Failures that a test may order from the in-memory bus."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from enum import Enum

from linewarden_runtime.records import Position


class Fault(Enum):
    """What shall happen to one of the next transactions; each order is used up once."""

    INIT = "init"
    """`init` does not get its answer."""

    SEND = "send"
    """A record is not acknowledged; the transaction is aborted."""

    OFFSETS = "offsets"
    """The commit of offsets is refused; the transaction is aborted."""

    COMMIT_LOST = "commit-lost"
    """The transaction commits, but its answer is lost."""

    DIED = "died"
    """The process dies after its records were written: the transaction stays open until `init`."""

    FORGOTTEN = "forgotten"
    """The same, and the broker forgets the transaction: `init` ends it only in the partitions that it names."""

    PENDING = "pending"
    """The transaction is aborted, but its offsets stay pending, past `init` too."""

    TORN = "torn"
    """The transaction fails, and its records become visible in the partitions of `torn` only, its offsets by order."""

    APART = "apart"
    """The transaction commits; its markers are kept back in `markers`, to be written one by one."""

    DELIVERY = "delivery"
    """A record of a plain producer is never acknowledged and not written."""


class Faults:
    """Orders for faults, first in first out by kind of step."""

    def __init__(self) -> None:
        self._orders: deque[Fault] = deque()
        self.torn: Callable[[Sequence[Position]], Collection[Position]] = lambda written: written[:1]
        """Of the partitions of a torn transaction those whose readers see its records."""
        self.torn_offsets = False
        """Whether a torn transaction's offsets are committed."""

    def order(self, *faults: Fault) -> None:
        """Let these happen, each at the next step where it can."""
        self._orders.extend(faults)

    def clear(self) -> None:
        """Take back what was ordered and did not happen."""
        self._orders.clear()

    def due(self, *candidates: Fault) -> Fault | None:
        """Use up the next order if it is one of the candidates."""
        if self._orders and self._orders[0] in candidates:
            return self._orders.popleft()
        return None
