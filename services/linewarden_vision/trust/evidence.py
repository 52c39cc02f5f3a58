"""What the mask branch and the class map's peak say about a picture."""

import math

from torch import Tensor

MASK_SHARE = 0.0073


def top_mean(values: Tensor, share: float) -> Tensor:
    """Return the mean of the top ceil(share * h * w) values per sample (B,), float32."""
    flat = values.float().flatten(1)
    return flat.topk(max(1, math.ceil(share * flat.shape[1])), dim=1).values.mean(1)


def mask_evidence(mask_logits: Tensor) -> Tensor:
    """Return the mean of the strongest 0.73 % of mask logits (B,); high is suspicious."""
    return top_mean(mask_logits, MASK_SHARE)


def cell_peak(cells: Tensor) -> Tensor:
    """Return the largest cell of the class map (B,): a rival of the agreement."""
    return cells.float().flatten(1).amax(1)
