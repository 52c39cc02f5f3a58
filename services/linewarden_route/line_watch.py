"""Whether a line lets anything pass now: followed beside the loop, asked when a visit is decided.

A capture pins the state of its moment; a part that is decided after the line was stopped, changed over or locked does
not pass by it. What cannot be renewed is not believed. What was told before a decision and is learnt after it is asked
for once more, by the broker's times.
"""

from __future__ import annotations

import structlog

from linewarden_domain.words import Said, said
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.books import StateBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.freshness import Freshness
from linewarden_runtime.lifecycle import Stop
from linewarden_schemas.line import LineState
from linewarden_schemas.vocabulary import LineMode

_RENEW_S = 1.0
_log = structlog.get_logger(__name__)


def against_state(state: LineState | None, now_ms: int) -> Said | None:
    """What the state of a line says against a pass that is given now (epoch ms); None for nothing."""
    if state is None:
        return said("line_now_unknown")
    if state.locks:
        return said("line_now_locked", cause=state.locks[0].cause.value)
    if state.mode is not LineMode.PRODUCTION:
        return said("line_now_not_in_production", mode=state.mode.value, production=LineMode.PRODUCTION.value)
    if not state.passes(now_ms):
        return said("line_now_over")
    return None


class LineWatch:
    """The states of the lines. `look` and `follow` belong to one thread; the rest may be asked from another."""

    def __init__(self, book: StateBook, clock: Clock, max_age_s: float = 5.0) -> None:
        self._book = book
        self._freshness = Freshness(clock, max_age_s)

    def look(self) -> None:
        """Learn everything that was told until now; without a broker what is known grows old."""
        try:
            with self._freshness.look():
                self._book.refresh()
        except BrokerUnavailable as error:
            _log.warning("line states may be stale", error=str(error))

    def follow(self, clock: Clock, until: Stop) -> None:
        """Learn what is told as it comes, until the stop; looks every second whether that is all."""
        backoff, failures = Backoff(0.1, _RENEW_S), 0
        while not until.is_set():
            try:
                self._book.wait(_RENEW_S / 2)
                failures = 0
            except BrokerUnavailable:
                failures += 1
                until.wait(clock, backoff.wait_s(failures))
            self.look()

    @property
    def heard(self) -> int:
        """How many states were learnt; whoever saw another number before has passes to ask `against_decided` about."""
        return self._book.heard

    @property
    def is_fresh(self) -> bool:
        """Whether what is known was renewed lately enough to be believed."""
        return self._freshness.stale_s() is None

    def against_decided(self, line_id: str, decided_ms: int) -> Said | None:
        """What was told by then against a pass that was decided then (epoch ms, the broker's time), by all known now.

        A line of which nothing is known of that time says nothing: what it told may be older than its topic is kept.
        """
        if not self._book.is_told(line_id, decided_ms - 1):
            return None
        # Told within the millisecond of the decision it may stand before it or behind it.
        told = [self._book.state(line_id, decided_ms, by_ms=by_ms) for by_ms in (decided_ms - 1, decided_ms)]
        found = [against_state(state, decided_ms) for state in told]
        return None if None in found else found[0]

    def withheld(self, line_id: str, now_ms: int) -> Said | None:
        """Why a part of this line must not pass now (epoch ms, the broker's time); None where nothing is against it."""
        stale_s = self._freshness.stale_s()
        if stale_s is not None:
            return said("line_now_stale", seconds=stale_s)
        return against_state(self._book.state(line_id, now_ms), now_ms)
