"""How old what is followed may be before nobody believes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from linewarden_runtime.clock import Clock


class Freshness:
    """Since when what is followed was not renewed; once `most_s` went by, nobody knows whether it still holds."""

    def __init__(self, clock: Clock, most_s: float) -> None:
        self._clock, self._most_s = clock, most_s
        self._renewed_s = clock.monotonic()

    @contextmanager
    def look(self) -> Iterator[None]:
        """Surrounds a look at the log: where it succeeds, what is known holds as of its begin."""
        begun_s = self._clock.monotonic()
        yield
        self._renewed_s = begun_s

    def stale_s(self) -> float | None:
        """For how long nothing was renewed, where that is too long for what is known to be believed; else None."""
        age_s = self._clock.monotonic() - self._renewed_s
        return None if age_s <= self._most_s else age_s
