"""The arithmetic of qualification: a bound on P(trusted pass | defect of the calibration mix), from independent groups.

One defective picture per group is drawn by seed before anything is scored. Rejected, diverted and
undecidable pictures count as infinitely suspicious. It is not ppm shipped, not a person's misses,
and not about a new kind of defect. Moving a threshold or refitting voids it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from linewarden_domain.rates import upper_limit
from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Label


class NotCertifiableError(ValueError):
    """So few groups cannot carry the bound, whatever their scores."""


@dataclass(frozen=True, slots=True)
class Bound:
    """With confidence 1 - delta, at most ``rate`` of defects are passed with trust when u >= limit diverts.

    ``allowed`` of the ``groups`` may lie below the limit; -inf means that everything diverts.
    """

    limit: float
    groups: int
    allowed: int
    rate: float
    delta: float


def draw_per_group(labels: Sequence[Label], rng: np.random.Generator, defect_class: str | None = None) -> list[int]:
    """Draw one defective picture's index per group that has any (of the class), in order of the group's name."""
    members: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        if label.defective and defect_class in {None, label.defect_class}:
            members.setdefault(label.group, []).append(index)
    return [members[group][int(rng.integers(len(members[group])))] for group in sorted(members)]


def allowed_misses(groups: int, rate: float, delta: float) -> int | None:
    """Return the largest k with P(Binomial(groups, rate) <= k) <= delta, None where even 0 is too many."""
    possible = np.flatnonzero(binom.cdf(np.arange(groups), groups, rate) <= delta)
    return int(possible[-1]) if possible.size else None


def groups_needed(rate: float, delta: float) -> int:
    """Return the smallest number of groups that can carry the bound, with no miss allowed."""
    return int(np.ceil(np.log(delta) / np.log1p(-rate) - 1e-9))


def qualify(suspicion: Values, *, rate: float, delta: float) -> Bound:
    """Choose the limit from the suspicion of n independent defective pictures, ties diverted.

    k = max{j: P(Binomial(n, rate) <= j) <= delta}; the limit is the (k + 1)-th smallest suspicion.
    ``rate`` and ``delta`` are fixed before looking. Raises NotCertifiableError when no k exists and
    ValueError for suspicion that is not a number.
    """
    if np.isnan(suspicion).any():
        raise ValueError("an undecidable picture is infinitely suspicious, not without a number")
    count = int(suspicion.size)
    allowed = allowed_misses(count, rate, delta)
    if allowed is None:
        needed = groups_needed(rate, delta)
        text = f"{rate:.1%} at {1 - delta:.1%} confidence needs {needed} independent defective groups"
        raise NotCertifiableError(f"not certifiable, n = {count}: {text}")
    return Bound(float(np.sort(suspicion)[allowed]), count, allowed, rate, delta)


@dataclass(frozen=True, slots=True)
class SystemEscapes:
    """Upper limit of P(escape | defect of the calibration mix) with people in the loop, at joint confidence."""

    limit: float
    diverted_share: float
    operator_miss_rate: float
    confidence: float


def system_escapes(bound: Bound, diverted: int, operator_misses: int, operator_shown: int) -> SystemEscapes:
    """Add what people may miss among what is diverted to what passes with trust.

    ``diverted`` is counted among the bound's groups. Three statements hold together, each at the bound's delta:
    the bound, the upper limit of the diverted share and that of the operators' miss rate. Raises ValueError
    for a study that showed nothing.
    """
    if not 0 <= operator_misses <= operator_shown or operator_shown < 1:
        raise ValueError(f"{operator_misses} misses of {operator_shown} shown is no study of operators")
    share = upper_limit(diverted, bound.groups, bound.delta)
    people = upper_limit(operator_misses, operator_shown, bound.delta)
    return SystemEscapes(min(1.0, bound.rate + share * people), share, people, max(0.0, 1 - 3 * bound.delta))
