"""What every output to the plant is to onward."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from linewarden_runtime.clock import Clock
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Routing


@dataclass(frozen=True, slots=True)
class GatePermission:
    """A pass that a gate may act on, for one visit and once; what has no permission is never let through.

    `counter` is the visit's number by its trigger, which the line's control knows the part by. `sequence` counts the
    permissions of this `epoch`, which grows each time an output is taken over: a control refuses an older one. It ends
    at `expires_ms` (epoch ms, the visit's decide-by); `window_ms` is the same as a time behind the trigger, for a
    control that counts by a clock of its own.
    """

    visit_id: str
    counter: int
    sequence: int
    epoch: int
    expires_ms: int
    window_ms: int

    def is_open(self, now_ms: int) -> bool:
        """Whether it may still be acted on; asked again directly before each write."""
        return now_ms < self.expires_ms


@dataclass(frozen=True, slots=True)
class Notice:
    """One revision of a visit, as an output is told it, and how it may be known again.

    Only a trusted pass of revision 0, of a real part and in time, has a `permission`.
    """

    disposition: Disposition
    permission: GatePermission | None = None

    @property
    def key(self) -> str:
        """The same whenever this revision is told again."""
        return f"{self.disposition.visit_id}:{self.disposition.revision}"

    def as_of(self, now_ms: int | None) -> Notice:
        """As it may be told now: without its permission where that has expired, or the time is not known."""
        if self.permission is None or (now_ms is not None and self.permission.is_open(now_ms)):
            return self
        return Notice(self.disposition)


@dataclass(frozen=True, slots=True)
class GateAct:
    """What a gate did with a visit; `actual` is None where it saw no part, or does not know.

    `bin_full` is what the sensor of the bin says into which the part went; None where there is none.
    """

    visit_id: str
    intended: Routing
    actual: Routing | None
    at_ms: int
    detail: str | None = None
    bin_full: bool | None = None


@dataclass(frozen=True, slots=True)
class OutputRun:
    """What an output is opened for: `now_ms` is the broker's time, None where it is not known, and then nothing opens.

    `epoch` grows each time that somebody takes the output over.
    """

    line_id: str
    epoch: int
    clock: Clock
    stop: threading.Event
    now_ms: Callable[[], int | None]


class OutputAway(Exception):
    """The receiver cannot be reached, or does not acknowledge in time; the same is told again after a while.

    `retry_after_s` is what the receiver asks for; it can make the while longer.
    """

    def __init__(self, reason: str = "", *, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class OutputRefused(Exception):
    """The receiver will never take this one; it becomes a dead letter, and the next is told.

    `cause` is a short stable word for counting, one of few.
    """

    def __init__(self, notice: Notice, reason: str, *, cause: str = "refused") -> None:
        super().__init__(reason)
        self.notice, self.cause = notice, cause


class Output(Protocol):
    """Where dispositions go; used by one thread."""

    def tell(self, notices: Sequence[Notice]) -> None:
        """Hand these over in their order, and return when the receiver has acknowledged every one.

        What was told before may come again, under the same key. A permission is checked against the broker's time
        directly before each write; one that has expired is told as no pass.

        Raises:
            OutputAway: nothing counts as told, and all of it comes again.
            OutputRefused: those before it are told; it is given up, with a cause.
        """
        ...

    def beat(self) -> Sequence[GateAct]:
        """Called some times a second, also where there is nothing to tell: move the watchdog, bring what the gate did.

        Raises:
            OutputAway: as in `tell`.
        """
        ...

    def close(self) -> None:
        """Take every standing permission back where the receiver can be reached, and release it; called once."""
        ...
