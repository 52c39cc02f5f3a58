"""What a replay found."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from .compare import Difference, Kind
from .containment import Contained


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Differences between what was recorded and what the same code says now.

    `unreadable`: frame records whose headers cannot be read; they have no inspection either. `largest_deviation` is
    over the frames decided both times. `containment`: visits that passed as trusted and would not pass now.
    """

    namespace: str
    bundle: str | None
    frames: int
    unreadable: int
    differences: tuple[Difference, ...]
    largest_deviation: float
    containment: tuple[Contained, ...]

    def by_kind(self) -> dict[str, int]:
        """Differences counted by kind, all kinds named."""
        counted = Counter(difference.kind for difference in self.differences)
        return {kind.value: counted[kind] for kind in Kind}

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"by_kind": self.by_kind()}
