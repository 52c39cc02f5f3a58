"""How far a shadow is behind the end of what it reads."""

from __future__ import annotations

from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.ports import Consumer

_WORTH_SAYING = 16
"""Frames; one batch under way is no lag."""


class Lag:
    """Measured on the member's own thread, now and then."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._last = 0
        self.most = 0

    def measure(self, in_hand: int) -> tuple[int | None, bool]:
        """Records that are not done, those in hand among them, and whether they became more since the last measure.

        Both are counted in offsets. None while no partition is assigned or has its start, or no broker answers.
        """
        places = self._consumer.assignment()
        try:
            # A partition without committed offset has no position to be asked for; the next poll gives it one.
            if not places or None in self._consumer.committed(places).values():
                return None, False
            ends = self._consumer.end_offsets(places)
            behind = in_hand + sum(max(0, ends[place] - self._consumer.position(place)) for place in places)
        except BrokerUnavailable:
            return None, False
        grows = behind > max(self._last, _WORTH_SAYING)
        self._last, self.most = behind, max(self.most, behind)
        return behind, grows
