"""Intervals by drawing whole groups again: near-duplicates come and go together."""

import numpy as np
from numpy.typing import NDArray

from linewarden_domain.resampling import multiplicities, percentiles
from linewarden_train.evaluation.cohort import Cohort
from linewarden_train.evaluation.results import Interval
from linewarden_train.evaluation.scored import Values


def draw_groups(cohort: Cohort, count: int, rng: np.random.Generator) -> Values:
    """Draw multiplicities (count, G); groups with a defective picture and groups without are drawn apart."""
    tainted = np.zeros(len(cohort.names), bool)
    tainted[cohort.defective_groups] = True
    drawn = np.zeros((count, len(cohort.names)))
    for side in (tainted, ~tainted):
        members = np.flatnonzero(side)
        if members.size:
            drawn[:, members] = multiplicities(members.size, count, rng)
    return drawn


def interval(value: float | None, drawn: NDArray[np.float64], confidence: float) -> Interval:
    """Return the percentile interval; draws that hold no evidence are left out, all of them: no interval."""
    if value is None or not np.isfinite(value):
        return Interval(value=None)
    found = percentiles(drawn, confidence)
    return Interval(value=value) if found is None else Interval(value=value, low=found[0], high=found[1])
