"""How long to wait before a dead camera's process is started again."""

from __future__ import annotations

import random
from dataclasses import dataclass

_STEADY_S = 60.0


@dataclass(slots=True)
class Backoff:
    """Doubles from `first_s` to `at_most_s` with a jitter of a quarter; a minute of life begins it anew."""

    first_s: float
    at_most_s: float
    chance: random.Random
    failures: int = 0

    def next_s(self, lived_s: float) -> float:
        """The wait after a life of `lived_s` seconds."""
        self.failures = 1 if lived_s >= _STEADY_S else self.failures + 1
        wait_s = min(self.first_s * 2.0 ** (self.failures - 1), self.at_most_s)
        return wait_s * self.chance.uniform(0.75, 1.25)
