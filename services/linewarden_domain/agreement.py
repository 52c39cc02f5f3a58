"""How far two answers about one frame may lie apart and still say the same: the line's and a replay's rule."""

from __future__ import annotations

from typing import Protocol

SAME_DEVICE_TOLERANCE = 1e-4
"""On p_defect and suspicion: batches of another size may round differently on the very same device."""
ACROSS_DEVICES_TOLERANCE = 2e-2
"""The same where device or number format is another than then."""


class Scored(Protocol):
    """Something with the scores of a frame."""

    @property
    def p_defect(self) -> float | None:
        """The network's probability of a defect, 0 to 1; None of a frame that was not decidable."""

    @property
    def suspicion(self) -> float | None:
        """How little an OK is to be believed."""


def deviation(one: Scored, other: Scored) -> float:
    """The larger distance of p_defect and suspicion; 0 where neither has scores, infinite where one has none."""
    return max(_distance(one.p_defect, other.p_defect), _distance(one.suspicion, other.suspicion))


def _distance(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    return abs(one - other)
