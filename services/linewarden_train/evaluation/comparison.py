"""Trust against its rivals at equal load: above all against simply lowering the threshold.

Among parts that a binary network passes, softmax confidence ranks exactly as the margin does, so
the margin is the rival that every trust score has to beat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PartScores:
    """Per part: margin and named suspicion scores (N,), and the truth (N,)."""

    margin: Values
    scores: Mapping[str, Values]
    defective: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rival:
    """Misses caught by one score when it diverts as many passed good parts as trust does."""

    name: str
    caught: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts on one set; every rate can be formed from them."""

    good: int
    defective: int
    overkill: int
    missed: int
    good_passed: int
    good_diverted: int
    caught: int
    only_trust: int
    only_margin: int
    rivals: Sequence[Rival]

    @property
    def p_value(self) -> float:
        """Return the two-sided exact paired test of trust against the margin over missed parts."""
        discordant = self.only_trust + self.only_margin
        return float(binomtest(self.only_trust, discordant).pvalue) if discordant else 1.0

    @property
    def expected_by_chance(self) -> float:
        """Return the misses that a coin with the same diversion rate would catch on average."""
        return self.missed * self.good_diverted / max(1, self.good_passed)


def compare(parts: PartScores, trust: str, *, reject_above: float, divert_from: float) -> Comparison:
    """Count at fixed thresholds for ``trust``; rivals are set to the same number of diverted good parts."""
    passed = parts.margin <= reject_above
    good_passed, missed = passed & ~parts.defective, passed & parts.defective
    diverted = parts.scores[trust] >= divert_from
    load = int((diverted & good_passed).sum())
    rivals = [
        Rival(name, int(caught_at_load(values[missed], values[good_passed], load).sum()))
        for name, values in parts.scores.items()
        if name != trust
    ]
    by_trust = diverted[missed]
    by_margin = caught_at_load(parts.margin[missed], parts.margin[good_passed], load)
    return Comparison(
        good=int((~parts.defective).sum()),
        defective=int(parts.defective.sum()),
        overkill=int((~passed & ~parts.defective).sum()),
        missed=int(missed.sum()),
        good_passed=int(good_passed.sum()),
        good_diverted=load,
        caught=int(by_trust.sum()),
        only_trust=int((by_trust & ~by_margin).sum()),
        only_margin=int((by_margin & ~by_trust).sum()),
        rivals=rivals,
    )


def caught_at_load(missed: Values, good: Values, load: int) -> NDArray[np.bool_]:
    """Tell which missed parts lie above the (load + 1)-th largest good one: at most ``load`` good ones go with them."""
    if load >= good.size:
        return np.ones(missed.size, bool)
    return np.asarray(missed > np.sort(good)[::-1][load])
