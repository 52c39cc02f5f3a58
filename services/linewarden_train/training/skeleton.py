"""Soft clDice: overlap of centre lines, so that a thin crack counts by its length (arXiv 2003.07311)."""

import torch
from torch import Tensor
from torch.nn import functional

_THINNINGS = 5


def soft_cldice(probability: Tensor, target: Tensor, thinnings: int = _THINNINGS) -> Tensor:
    """Return 1 - soft clDice per sample (B,) of probabilities and truth, (B, H, W); equal masks give about 0."""
    found, true = soft_skeleton(probability, thinnings), soft_skeleton(target, thinnings)
    axes = (1, 2)
    precision = ((found * target).sum(axes) + 1) / (found.sum(axes) + 1)
    sensitivity = ((true * probability).sum(axes) + 1) / (true.sum(axes) + 1)
    return 1 - 2 * precision * sensitivity / (precision + sensitivity)


def soft_skeleton(mask: Tensor, thinnings: int = _THINNINGS) -> Tensor:
    """Return the soft centre line of masks (B, H, W) up to ``2 * thinnings`` pixels wide."""
    thin = mask
    line = functional.relu(thin - _opened(thin))
    for _ in range(thinnings):
        thin = _eroded(thin)
        rest = functional.relu(thin - _opened(thin))
        line = line + functional.relu(rest - line * rest)
    return line


def _eroded(mask: Tensor) -> Tensor:
    shrunk = -mask[:, None]
    rows = functional.max_pool2d(shrunk, (3, 1), 1, (1, 0))
    columns = functional.max_pool2d(shrunk, (1, 3), 1, (0, 1))
    return -torch.maximum(rows, columns)[:, 0]


def _opened(mask: Tensor) -> Tensor:
    return functional.max_pool2d(_eroded(mask)[:, None], 3, 1, 1)[:, 0]
