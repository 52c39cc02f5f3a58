"""Qualification: a bound on P(trusted pass | defect of the calibration mix), from independent defect groups.

One defective picture per group is drawn by seed before anything is scored. Rejected, diverted and
undecidable pictures count as infinitely suspicious. It is not ppm shipped, not a person's misses,
and not about a new kind of defect. Moving a threshold or refitting voids it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from linewarden_train.data.samples import Label

Values = NDArray[np.float64]


class NotCertifiableError(ValueError):
    """So few groups cannot carry the bound, whatever their scores."""


@dataclass(frozen=True, slots=True)
class Qualification:
    """With confidence 1 - delta, at most ``rate`` of defects are passed with trust when u >= limit diverts.

    ``allowed`` of the ``groups`` may lie below the limit; -inf means that everything diverts.
    """

    limit: float
    groups: int
    allowed: int
    rate: float
    delta: float


def draw_per_group(labels: Sequence[Label], rng: np.random.Generator) -> list[int]:
    """Draw one defective picture's index per group that has any, in order of the group's name."""
    members: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        if label.defective:
            members.setdefault(label.group, []).append(index)
    return [members[group][int(rng.integers(len(members[group])))] for group in sorted(members)]


def qualify(suspicion: Values, *, rate: float, delta: float) -> Qualification:
    """Choose the limit from the suspicion of n independent defective pictures, ties diverted.

    k = max{j: P(Binomial(n, rate) <= j) <= delta}; the limit is the (k + 1)-th smallest suspicion.
    ``rate`` and ``delta`` are fixed before looking. Raises NotCertifiableError when no k exists and
    ValueError for suspicion that is not a number.
    """
    if np.isnan(suspicion).any():
        raise ValueError("an undecidable picture is infinitely suspicious, not without a number")
    count = int(suspicion.size)
    possible = np.flatnonzero(binom.cdf(np.arange(count), count, rate) <= delta)
    if not possible.size:
        raise NotCertifiableError(f"not certifiable, n = {count}: {rate:.1%} at {1 - delta:.0%} needs more groups")
    allowed = int(possible[-1])
    return Qualification(float(np.sort(suspicion)[allowed]), count, allowed, rate, delta)


def upper_limit(missed: int, groups: int, delta: float) -> float:
    """Return the one-sided Clopper-Pearson upper limit of a rate at confidence 1 - delta."""
    return 1.0 if missed >= groups else float(beta.ppf(1 - delta, missed + 1, groups - missed))
