"""Pictures at a rate: shot n is due n periods after the start, so that a slow moment is caught up."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from linewarden_runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate_per_s` None means as fast as they are taken. `start_ms` is when shot 0 is due, epoch ms."""

    clock: Clock
    stop: threading.Event
    start_ms: int
    rate_per_s: float | None = None

    def due_ms(self, number: int) -> int:
        """When shot `number` is due, epoch ms."""
        return self.start_ms + (round(number * 1000 / self.rate_per_s) if self.rate_per_s else 0)

    def reached(self, number: int, timeout_s: float) -> bool:
        """Whether shot `number` is due, after waiting for it at most `timeout_s` or until the stop."""
        late_s = (self.due_ms(number) - self.clock.now_ms()) / 1000
        if late_s <= 0:
            return True
        self.clock.wait(self.stop, min(late_s, timeout_s))
        return self.clock.now_ms() >= self.due_ms(number)
