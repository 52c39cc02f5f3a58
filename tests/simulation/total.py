"""What many histories came to together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.history import Outcome
from tests.simulation.plan import ALL_KINDS, LEAST

MILLION = 1_000_000


@dataclass(slots=True)
class Total:
    """What many histories came to."""

    histories: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, list[str]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Take one in."""
        self.histories += 1
        self.steps += outcome.steps
        self.faults += outcome.faults
        if outcome.wrong:
            self.wrong[outcome.plan.seed] = outcome.wrong

    def rare(self) -> list[str]:
        """Kinds of faults that happened too seldom for so many steps; none before there are a million."""
        return [kind for kind in ALL_KINDS if self.steps.total() >= MILLION and self.faults[kind] < LEAST]
