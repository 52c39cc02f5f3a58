"""What the mask branch, the margin and the class map's peak say about a picture."""

import math

from torch import Tensor

from linewarden_vision.trust.scores import TrustScore


def mask_evidence(mask_logits: Tensor) -> Tensor:
    """Return the mean of the strongest 0.73 % of mask logits (B,), at least of one, float32; high is suspicious."""
    flat = mask_logits.float().flatten(1)
    return flat.topk(max(1, math.ceil(0.0073 * flat.shape[1])), dim=1).values.mean(1)


def cell_peak(cells: Tensor) -> Tensor:
    """Return the largest cell of the class map (B,): a rival of the agreement."""
    return cells.float().flatten(1).amax(1)


SCORES = (
    TrustScore(
        "mask_evidence",
        {"en": "its mask shows a faint defect", "de": "seine Maske zeigt schwach einen Fehler"},
        lambda output, _: mask_evidence(output.mask_logits),
        needs=("mask_logits",),
    ),
    TrustScore(
        "margin",
        {"en": "it was less sure than with good parts", "de": "es war weniger sicher als bei Gutteilen"},
        lambda output, _: output.margin.float(),
        needs=("margin",),
    ),
    TrustScore(
        "cell_peak",
        {"en": "one spot looked defective", "de": "eine Stelle sah fehlerhaft aus"},
        lambda output, _: cell_peak(output.cells),
    ),
)
