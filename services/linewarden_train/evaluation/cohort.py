"""The arithmetic under every figure: what share of good groups must be diverted to catch each missed picture.

The *load* of a missed picture under a score is the smallest diverted share of good groups at which its own network's
threshold catches it, ties diverted. It is counted within the network (fold and seed) that scored the picture, so that
networks with scores on other scales can be pooled and a budget means the same in each. Every group counts once: its
pictures and seeds are averaged first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewarden_domain.resampling import Values, multiplicities, percentiles
from linewarden_train.evaluation.results import Interval, Size
from linewarden_train.evaluation.scored import Flags, ScoredSet

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Scores arranged by network and group.

    ``group`` (N,) numbers the groups; ``network`` (N,) numbers fold and seed; ``good`` and ``missed`` are the decidable
    good rows and the defective rows that pass; ``share`` (N,) is one over the good rows of a group in its network.
    """

    scored: ScoredSet
    names: tuple[str, ...]
    group: Index
    network: Index
    good: Index
    missed: Index
    share: Values

    @property
    def missed_groups(self) -> Index:
        """Numbers of the groups with a missed picture, sorted."""
        return np.unique(self.group[self.missed])

    @property
    def defective_groups(self) -> Index:
        """Numbers of the groups with a defective picture, sorted."""
        return np.unique(self.group[self.scored.defective])

    @property
    def ones(self) -> Values:
        """Multiplicity of one for every group, (1, G)."""
        return np.ones((1, len(self.names)))

    def by_group(self, values: Values) -> Values:
        """Average values of missed rows (R, M) over each group's rows: (R, groups with a miss)."""
        _, where, counts = np.unique(self.group[self.missed], return_inverse=True, return_counts=True)
        averaging = np.zeros((where.size, counts.size))
        averaging[np.arange(where.size), where] = 1 / counts[where]
        return np.asarray(values @ averaging)

    def score(self, name: str) -> Values:
        """Return a score (N,) by name; the margin is always there. Raises ValueError."""
        if name == "margin":
            return self.scored.margin
        if name not in self.scored.scores:
            raise ValueError(f"no score {name!r}; there are margin, {', '.join(sorted(self.scored.scores))}")
        return self.scored.scores[name]

    def size_of(self, rows: Index) -> Size:
        """Count distinct pictures, groups and seeds of rows."""
        pictures = {(self.scored.names[row], self.scored.labels[row].group) for row in map(int, rows)}
        return Size(
            n_pictures=len(pictures),
            n_groups=int(np.unique(self.group[rows]).size),
            n_seeds=int(np.unique(self.scored.seed[rows]).size),
        )

    def share_of_groups(self, hit: Flags, among: Flags) -> float | None:
        """Return the mean over groups of the share of their chosen rows (N,) that are hit; None without one chosen."""
        rows = np.flatnonzero(among)
        if not rows.size:
            return None
        _, where, counts = np.unique(self.group[rows], return_inverse=True, return_counts=True)
        return float((np.bincount(where, hit[rows].astype(float)) / counts).mean())


def arrange(scored: ScoredSet) -> Cohort:
    """Arrange; raises ValueError for a network without a decidable good picture: no load can be counted there."""
    names, group = np.unique(np.asarray(scored.groups), return_inverse=True)
    _, network = np.unique(np.stack([scored.fold, scored.seed], axis=1), axis=0, return_inverse=True)
    network = network.ravel()
    good = np.flatnonzero(~scored.defective & scored.decidable)
    missed = np.flatnonzero(scored.defective & scored.passed)
    for place in np.unique(network[missed]):
        if not (network[good] == place).any():
            raise ValueError("a network has misses but no good picture to count a load on; give it good ones")
    pair = network[good] * len(names) + group[good]
    _, where, counts = np.unique(pair, return_inverse=True, return_counts=True)
    share = np.zeros(len(scored.labels))
    share[good] = 1 / counts[where]
    return Cohort(scored, tuple(str(name) for name in names), group, network, good, missed, share)


def loads(
    cohort: Cohort, values: Values, multiplicity: Values, *, ties: float = 1.0, passed_only: bool = False
) -> Values:
    """Return the load (R, M) of every missed row under a score (N,) for R multiplicities of groups (R, G).

    ``ties`` is how much of a good picture with the same score counts. The load is a share of all good groups of
    the network, or of those that pass with ``passed_only``. Not a number where a network has no good group drawn.
    """
    suspicion = np.where(np.isnan(values), np.inf, values)  # what is not a number is infinitely suspicious
    result = np.full((multiplicity.shape[0], cohort.missed.size), np.nan)
    for place in np.unique(cohort.network[cohort.missed]):
        columns = np.flatnonzero(cohort.network[cohort.missed] == place)
        good = cohort.good[cohort.network[cohort.good] == place]
        kept = good[cohort.scored.passed[good]]
        above = _above(cohort, suspicion, suspicion[cohort.missed[columns]], kept, multiplicity, ties)
        whole = (
            multiplicity[:, cohort.group[kept if passed_only else good]] * cohort.share[kept if passed_only else good]
        ).sum(1)
        result[:, columns] = np.divide(above, whole[:, None], out=np.full_like(above, np.nan), where=whole[:, None] > 0)
    return result


def _above(cohort: Cohort, suspicion: Values, at: Values, good: Index, multiplicity: Values, ties: float) -> Values:
    """Weight of good rows above each value in ``at``, and a share of those equal to it: (R, len(at))."""
    order = good[np.argsort(-suspicion[good], kind="stable")]
    weights = multiplicity[:, cohort.group[order]] * cohort.share[order]
    running = np.concatenate([np.zeros((multiplicity.shape[0], 1)), np.cumsum(weights, axis=1)], axis=1)
    falling = -suspicion[order]
    more = running[:, np.searchsorted(falling, -at, side="left")]
    at_least = running[:, np.searchsorted(falling, -at, side="right")]
    return np.asarray(more + ties * (at_least - more))


def recall(cohort: Cohort, load: Values, budget: float, multiplicity: Values) -> Values:
    """Return the group-weighted recall of misses (R,) at a budget, from loads (R, M); not a number without a miss."""
    weights = multiplicity[:, cohort.missed_groups]
    whole = weights.sum(1)
    found = (cohort.by_group(within(load, budget).astype(float)) * weights).sum(1)
    return np.asarray(np.divide(found, whole, out=np.full(whole.shape, np.nan), where=whole > 0), np.float64)


def finite(value: float) -> float | None:
    """Return the value, None where it is not a number or infinite: no evidence."""
    return value if np.isfinite(value) else None


def within(load: Values, budget: float) -> Flags:
    """Tell which loads a budget pays for; the last bits of sums of shares decide nothing."""
    return np.asarray(load <= budget + 1e-9)


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
