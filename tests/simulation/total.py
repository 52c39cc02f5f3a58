"""What many histories came to together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.history import Outcome
from tests.simulation.plan import ALL_KINDS, LEAST, LEAST_APART, LINE_STATES, TAKEN_SO

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
        """Kinds of faults that happened too seldom for so many steps, in words; none before there are a million."""
        if self.steps.total() < MILLION:
            return []
        least = dict.fromkeys(ALL_KINDS, LEAST) | dict.fromkeys((*TAKEN_SO, *LINE_STATES), LEAST_APART)
        return [f"{kind} happened less than {most} times" for kind, most in least.items() if self.faults[kind] < most]
