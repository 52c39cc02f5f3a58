"""The primary endpoint: group-weighted recall of misses at one budget, one score against one rival.

A group counts for the side that catches a larger share of its pictures and seeds; groups caught alike say nothing.
The exact two-sided sign test needs six discordant groups, all one way, for p < .05 (2 x .5^6 = .031).
"""

import numpy as np
from scipy.stats import binomtest

from linewarden_train.evaluation.cohort import Cohort, loads, recall, within
from linewarden_train.evaluation.groups import interval
from linewarden_train.evaluation.results import Endpoint, Plan, Size
from linewarden_train.evaluation.scored import Values

NEEDED = 6
"""Discordant groups, all one way, without which no p-value falls below .05."""


def primary(cohort: Cohort, plan: Plan, draws: Values) -> Endpoint | None:
    """Compare ``plan.score`` with ``plan.rival``; ``draws`` (R, G) are bootstrap multiplicities of groups.

    None without a missed part. Raises ValueError for a score that is not there.
    """
    if not cohort.missed.size:
        return None
    sides = [cohort_values(cohort, name) for name in (plan.score, plan.rival)]
    points = [loads(cohort, values, cohort.ones) for values in sides]
    shares = [cohort.by_group(within(load, plan.budget).astype(float))[0] for load in points]
    recalls = [float(recall(cohort, load, plan.budget, cohort.ones)[0]) for load in points]
    drawn = [recall(cohort, loads(cohort, values, draws), plan.budget, draws) for values in sides]
    names = np.asarray(cohort.names)[cohort.missed_groups]
    more = [str(name) for name in names[shares[0] > shares[1] + 1e-12]]
    less = [str(name) for name in names[shares[1] > shares[0] + 1e-12]]
    return Endpoint(
        score=plan.score,
        rival=plan.rival,
        budget=plan.budget,
        recall=interval(recalls[0], drawn[0], plan.confidence),
        rival_recall=interval(recalls[1], drawn[1], plan.confidence),
        difference=interval(recalls[0] - recalls[1], drawn[0] - drawn[1], plan.confidence),
        size=size_of(cohort, cohort.missed),
        more_by_score=more,
        more_by_rival=less,
        tied=int(names.size) - len(more) - len(less),
        p_value=sign_test(len(more), len(less)),
    )


def sign_test(one: int, other: int) -> float:
    """Return the exact two-sided p-value of discordant groups; 1 without any."""
    return float(binomtest(one, one + other).pvalue) if one + other else 1.0


def cohort_values(cohort: Cohort, name: str) -> Values:
    """Return a score by name; the margin is always there. Raises ValueError."""
    if name == "margin":
        return cohort.scored.margin
    if name not in cohort.scored.scores:
        raise ValueError(f"no score {name!r}; there are margin, {', '.join(sorted(cohort.scored.scores))}")
    return cohort.scored.scores[name]


def size_of(cohort: Cohort, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Size:
    """Count distinct pictures, groups and seeds of rows."""
    pictures = {(cohort.scored.names[row], cohort.scored.labels[row].group) for row in map(int, rows)}
    return Size(
        n_pictures=len(pictures),
        n_groups=int(np.unique(cohort.group[rows]).size),
        n_seeds=int(np.unique(cohort.scored.seed[rows]).size),
    )
