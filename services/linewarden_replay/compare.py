"""What differs between a recorded inspection and the same frame inspected again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import Undecidable, Verdict

SAME_DEVICE_TOLERANCE = 1e-4
"""Batches of another size may round differently; a device of another kind needs a wider one, given by hand."""


class Kind(StrEnum):
    """The weightiest thing that differs."""

    VERDICT = "verdict"
    """Verdict, or the reason why there is none."""

    TRUST = "trust"
    """Both OK, but only one of them trusted."""

    NUMBERS = "numbers"
    """Same verdict and trust; scores further apart than the tolerance."""

    NOT_RECORDED = "not_recorded"
    """The live line never answered this frame."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an inspection said, without its maps."""

    verdict: Verdict
    undecidable: Undecidable | None
    doubtful: bool
    p_defect: float | None
    suspicion: float | None

    @classmethod
    def of(cls, inspection: Inspection) -> Answer:
        """Reduce an inspection."""
        return cls(
            inspection.verdict,
            inspection.undecidable,
            inspection.is_doubtful,
            inspection.p_defect,
            inspection.suspicion,
        )

    @property
    def is_trusted_ok(self) -> bool:
        """Whether this view lets its visit pass."""
        return self.verdict is Verdict.OK and not self.doubtful

    @property
    def is_reject(self) -> bool:
        """Whether this view rejects its visit."""
        return self.verdict is Verdict.NG


@dataclass(frozen=True, slots=True)
class Difference:
    """One frame that is answered differently now."""

    frame_id: str
    visit_id: str
    kind: Kind
    recorded: Answer | None
    replayed: Answer


def compare(inspection: Inspection, recorded: Answer | None, tolerance: float) -> Difference | None:
    """The difference, None where both say the same within the tolerance (on p_defect and suspicion)."""
    replayed = Answer.of(inspection)
    kind = _kind(recorded, replayed, tolerance)
    if kind is None:
        return None
    return Difference(inspection.frame_id, inspection.visit_id, kind, recorded, replayed)


def deviation(recorded: Answer, replayed: Answer) -> float:
    """The larger distance of p_defect and suspicion; 0 where neither has scores, infinite where one has none."""
    pairs = ((recorded.p_defect, replayed.p_defect), (recorded.suspicion, replayed.suspicion))
    return max(_distance(before, after) for before, after in pairs)


def _kind(recorded: Answer | None, replayed: Answer, tolerance: float) -> Kind | None:
    if recorded is None:
        return Kind.NOT_RECORDED
    if (recorded.verdict, recorded.undecidable) != (replayed.verdict, replayed.undecidable):
        return Kind.VERDICT
    if recorded.doubtful != replayed.doubtful:
        return Kind.TRUST
    return Kind.NUMBERS if deviation(recorded, replayed) > tolerance else None


def _distance(before: float | None, after: float | None) -> float:
    if before is None or after is None:
        return 0.0 if before is after else float("inf")
    return abs(before - after)
