"""The camera node's clock beside the broker's: measured with what is published, the line held while it is wrong."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from linewarden_ingest.metrics import CLOCK_HELD
from linewarden_runtime.broker_time import BrokerTime, Trip, words_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Delivery
from linewarden_schemas.recipe import TimeBudget

_log = structlog.get_logger(__name__)


class NodeClock:
    """One camera's view of its node's clock; safe on several threads. `max_skew_ms` is the recipe's in force."""

    def __init__(
        self, clock: Clock, camera_id: str, max_skew_ms: Callable[[], int] = lambda: TimeBudget().max_skew_ms
    ) -> None:
        self._time = BrokerTime(clock, camera_id)
        self._camera_id, self._max_skew_ms = camera_id, max_skew_ms
        # No number of steps: nothing was compared yet.
        self._checked_steps = -1
        self._held = False

    def sending(self) -> Trip:
        """A record is about to be sent."""
        return self._time.sending()

    def answered(self, trip: Trip, delivery: Delivery) -> None:
        """Compare this node's clock with the broker's by the append time of an acknowledged record."""
        self._time.answered(trip, delivery.append_ms())
        error_ms = self._time.error_ms()
        # With the steps of now: a wall clock that steps afterwards counts as unchecked until it is compared again.
        if error_ms is not None and abs(error_ms) <= self._max_skew_ms():
            self._checked_steps = self._time.steps

    def error_ms(self) -> int | None:
        """By how much the node's clock is ahead of the broker's; None while that is not known, as in an outage."""
        self._time.look()
        return self._time.error_ms()

    @property
    def is_checked(self) -> bool:
        """Whether it was found right in this run, and not stepped since."""
        self._time.look()
        return self._checked_steps == self._time.steps

    def why_held(self) -> str | None:
        """Why no picture may be taken now, with what to do; None where it may.

        In an outage pictures are taken: the broker stamps them when they come, and what was wrong diverts.
        """
        error_ms = self.error_ms()
        is_wrong = error_ms is not None and abs(error_ms) > self._max_skew_ms()
        words = words_of(error_ms or 0)
        # Logged as it changes, not as often as somebody asks.
        if is_wrong is not self._held:
            self._held = is_wrong
            tell = _log.error if is_wrong else _log.info
            tell("clock", camera_id=self._camera_id, held=is_wrong, error_ms=error_ms, why=words)
        CLOCK_HELD.labels(camera=self._camera_id).set(is_wrong)
        return words if is_wrong else None
