"""How long to wait after failures in a row."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """From `first_s` times `factor` to `at_most_s`, times a number drawn between both ends of `jitter`.

    So spread, workers that failed together do not come back together.
    """

    first_s: float
    at_most_s: float = float("inf")
    factor: float = 2.0
    jitter: tuple[float, float] = (0.5, 1.0)
    chance: Callable[[], float] = random.random

    def wait_s(self, failures: int) -> float:
        """The wait after so many failures in a row, 1 or more."""
        least, most = self.jitter
        steps = min(failures - 1, 64)  # far beyond every bound, and a power that is still a number
        wait_s = min(self.first_s * self.factor**steps, self.at_most_s)
        return wait_s * (least + (most - least) * self.chance())
