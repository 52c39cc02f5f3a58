"""When the line's firsts and lasts were seen, on the demo's own clock."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import Figures


@dataclass(slots=True)
class Timing:
    """Monotonic seconds. `begun` is when the command was given."""

    begun: float
    first_frame: float | None = None
    first_routing: float | None = None
    last_change: float | None = None
    _seen: tuple[int, int, int] = (0, 0, 0)

    def look(self, figures: Figures, now: float) -> None:
        """Note what the figures show for the first time."""
        seen = (len(figures.captured), len(figures.inspected), len(figures.routings))
        if seen == self._seen:
            return
        self._seen, self.last_change = seen, now
        if self.first_frame is None and seen[0]:
            self.first_frame = now
        if self.first_routing is None and seen[2]:
            self.first_routing = now

    def idle_s(self, now: float) -> float:
        """How long nothing has changed."""
        return now - (self.begun if self.last_change is None else self.last_change)

    @property
    def running_s(self) -> float:
        """From the first frame to the last change."""
        if self.first_frame is None or self.last_change is None:
            return 0.0
        return self.last_change - self.first_frame

    @property
    def seconds_to_first_routing(self) -> float | None:
        """From the command to the first routing."""
        return None if self.first_routing is None else self.first_routing - self.begun
