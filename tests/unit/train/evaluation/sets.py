"""Scored sets small enough to check by hand."""

from collections.abc import Mapping, Sequence

import numpy as np

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.evaluation.scored import Pixels, ScoredSet


def scored_set(
    rows: Sequence[tuple[str, bool, float, float]],
    *,
    reject_above: float = 10.0,
    fold: Sequence[int] | None = None,
    seed: Sequence[int] | None = None,
    mask_any: Sequence[bool] | None = None,
    scores: Mapping[str, Sequence[float]] | None = None,
    pixels: Sequence[tuple[int, int, int, int]] | None = None,
) -> ScoredSet:
    """Rows are group, defective, margin and trust's suspicion."""
    count = len(rows)
    return ScoredSet(
        names=[f"{number}.png" for number in range(count)],
        labels=[Label("crack" if defective else GOOD, group) for group, defective, _, _ in rows],
        fold=np.asarray(fold or [0] * count, np.int64),
        seed=np.asarray(seed or [0] * count, np.int64),
        margin=np.asarray([row[2] for row in rows], float),
        reject_above=np.full(count, reject_above),
        scores={"trust": np.asarray([row[3] for row in rows], float)}
        | {name: np.asarray(values, float) for name, values in (scores or {}).items()},
        mask_any=np.asarray(mask_any or [False] * count, bool),
        pixels=Pixels.stack(pixels or [(-1, -1, -1, -1)] * count),
    )


def goods(count: int, trust: Sequence[float] | None = None) -> list[tuple[str, bool, float, float]]:
    """Good parts, a group each, margins and suspicions 0, 1, 2 and so on."""
    values = list(range(count)) if trust is None else list(trust)
    return [(f"good-{number:02d}", False, float(number), float(values[number])) for number in range(count)]
