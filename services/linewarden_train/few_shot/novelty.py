"""Building the bank of good patches that novelty is measured against."""

import numpy as np
import torch
from torch import Tensor

from linewarden_vision.trust.novelty import NoveltyBank, directions

MOST_CANDIDATES = 20_000
_PROJECTED = 32  # dimensions in which the selection measures distances (Johnson-Lindenstrauss)


def build_bank(patches: Tensor, size: int, rng: np.random.Generator) -> NoveltyBank:
    """Select ``size`` of the patches (N, D) of good parts, or all if fewer, so that they cover the others.

    At most 20,000 random candidates are looked at, each step takes the one farthest from those selected
    (greedy k-center). Raises ValueError for patches that are none or not finite.
    """
    if patches.ndim != 2 or not len(patches) or not bool(patches.isfinite().all()):
        raise ValueError(f"a bank needs finite patches (N, D), not {tuple(patches.shape)}")
    scale = patches.std(0).clamp(min=1e-6)
    if len(patches) > MOST_CANDIDATES:
        chosen = np.sort(rng.choice(len(patches), MOST_CANDIDATES, replace=False))
        patches = patches[torch.from_numpy(chosen)]
    scaled = directions(patches, scale)
    return NoveltyBank(scaled[cover(scaled, min(size, len(scaled)), rng)].half(), scale)


def cover(points: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    """Return the indices (size,) of a greedy k-center selection of points (N, D), on a random projection."""
    directions = rng.standard_normal((points.shape[1], _PROJECTED)) / np.sqrt(_PROJECTED)
    projected = points @ torch.from_numpy(directions.astype(np.float32))
    squares = projected.square().sum(1)
    nearest = torch.full((len(points),), torch.inf)
    chosen = [int(rng.integers(len(points)))]
    for _ in range(size - 1):
        last = chosen[-1]
        nearest = torch.minimum(nearest, squares + squares[last] - 2 * projected @ projected[last])
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen)
