"""Live limits for many threads: one thread follows the topic, the others look up."""

from __future__ import annotations

import threading

import structlog

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.freshness import Freshness
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.live_limits import LiveLimitBook
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.live_limit import LiveLimit

_LOOK_S = 1.0
_log = structlog.get_logger(__name__)


class LiveShelf:
    """What is known of the limits. Once `stale_s` went by without a look that succeeded, nothing is."""

    def __init__(self, broker: Broker, namespace: Namespace, clock: Clock, stale_s: float) -> None:
        self._broker, self._namespace, self._clock = broker, namespace, clock
        self._freshness = Freshness(clock, stale_s)
        self._book: LiveLimitBook | None = None
        self.is_read = threading.Event()
        """Set once everything that was told before is known."""

    def run(self, until: Stop) -> None:
        """Follow until the stop; an outage is waited out."""
        while not until.is_set():
            try:
                with LiveLimitBook(self._broker, self._namespace) as book:
                    self._book = book
                    self.is_read.set()
                    while not until.wait(self._clock, _LOOK_S):
                        with self._freshness.look():
                            book.refresh()
            except BrokerUnavailable as fault:
                _log.warning("live limits may be stale", why=str(fault))
                until.wait(self._clock, _LOOK_S)

    def of(self, line_id: str, recipe: RecipeRef) -> LiveLimit | None:
        """The newest of a line under a recipe; None where there is none, or nobody knows."""
        book = self._book
        return None if book is None or self._freshness.stale_s() is not None else book.of(line_id, recipe)

    def of_bundle(self, digest: str) -> list[LiveLimit]:
        """The limits of lines that a bundle's newest recipe there passes by, told ones whether they hold or not."""
        newest: dict[tuple[str, str], LiveLimit] = {}
        for one in [] if self._book is None else self._book.all():
            known = newest.get((one.line_id, one.recipe.recipe_id))
            if known is None or one.made_ms > known.made_ms:
                newest[one.line_id, one.recipe.recipe_id] = one
        return [one for one in newest.values() if one.bundle_digest == digest]
