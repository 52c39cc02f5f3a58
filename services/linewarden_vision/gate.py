"""The gate: whoever computes a bundle's scores repeats its golden verdicts, or does not start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from linewarden_vision.card import BundleThresholds
from linewarden_vision.errors import GateError
from linewarden_vision.golden import GoldenAnswer


class Scores(Protocol):
    """Margin and suspicion of one picture."""

    @property
    def margin(self) -> float:
        """Logit of the defect minus that of good; above 0 the network leans to NG."""

    @property
    def suspicion(self) -> float:
        """From 0 to 1; the higher, the less an OK is to be believed."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's measurement: largest difference from the golden answers; ways of computing that failed before."""

    margin_deviation: float
    suspicion_deviation: float
    refused: tuple[str, ...]


def check_golden(
    limits: BundleThresholds, scores: Sequence[Scores], answers: Sequence[GoldenAnswer], way: str
) -> tuple[float, float]:
    """Return the largest deviations of margin and suspicion; raises GateError if a verdict or a doubt differs."""
    for index, (score, answer) in enumerate(zip(scores, answers, strict=True)):
        defect, doubtful = limits.is_defect(score.margin), limits.is_doubtful(score.suspicion)
        # doubt about a rejected picture decides nothing
        if defect != answer.defect or (not defect and doubtful != answer.doubtful):
            raise GateError(
                f"{way} flips golden picture {index}: margin {score.margin:.4f} "
                f"(golden {answer.margin:.4f}), suspicion {score.suspicion:.4f} ({answer.suspicion:.4f})"
            )
    pairs = list(zip(scores, answers, strict=True))
    return (
        max(abs(score.margin - answer.margin) for score, answer in pairs),
        max(abs(score.suspicion - answer.suspicion) for score, answer in pairs),
    )
