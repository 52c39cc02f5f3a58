"""What trust is worth on this line: misses passed against the share diverted, and how often suspicion is right.

Doubted visits are all looked at, trusted ones by a coin's choice alone. Each answer therefore stands for
N / answered visits of its kind (post-stratification, Holt and Smith 1979), and so the rival, lowering the network's
threshold, is measured on the same footing and not on what trust happened to pick. Without an answered audit nothing
is known of misses among trusted visits, and without enough known misses no curve says anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter

from linewarden_domain.rates import lower_limit, upper_limit
from linewarden_reinspect.station.insight.passes import PassedVisit

LEAST_MISSES = 6
"""Fewer cannot tell two scores apart: a paired exact test at .05 needs six that go one way."""
LEAST_IN_BIN = 20


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Share of passes diverted, and what of the misses would still pass: estimated share, and known ones counted."""

    diverted: float
    misses_passed: float
    known_passed: int


@dataclass(frozen=True, slots=True)
class Curves:
    """By suspicion and by the network's own p(defect). Empty where `too_few` or no audit was answered.

    `passes` visits, of which `answered` have an answer, `audits` of these by audit; `misses` were found defective.
    """

    passes: int
    answered: int
    audits: int
    misses: int
    trust: tuple[RiskCoverage, ...] = ()
    rival: tuple[RiskCoverage, ...] = ()
    table: tuple[tuple[float, RiskCoverage, RiskCoverage], ...] = ()

    @property
    def too_few(self) -> bool:
        """Whether there are too few known misses to say anything."""
        return self.misses < LEAST_MISSES


@dataclass(frozen=True, slots=True)
class Bin:
    """Answered visits of like suspicion: their mean, how many were defective, and a 95 % Clopper-Pearson interval."""

    suspicion: float
    n: int
    defective: int
    lower: float
    upper: float

    @property
    def rate(self) -> float:
        """Defective parts of all in the bin, 0 to 1."""
        return self.defective / self.n


def curves(passes: Sequence[PassedVisit]) -> Curves:
    """Both curves over the passes, where there is enough to draw them."""
    known = [one for one in passes if one.defective is not None]
    misses = sum(one.defective is True for one in known)
    audits = sum(not one.is_doubted and one.is_audit for one in known)
    found = Curves(len(passes), len(known), audits, misses)
    if found.too_few or audits == 0:
        return found
    weights = _weights(passes)
    trust = _Ranking(passes, weights, attrgetter("suspicion"))
    rival = _Ranking(passes, weights, attrgetter("p_defect"))
    grid = [step / 40 for step in range(41)]
    return replace(
        found,
        trust=tuple(map(trust.at, grid)),
        rival=tuple(map(rival.at, grid)),
        table=tuple((budget, trust.at(budget), rival.at(budget)) for budget in (0.01, 0.02, 0.05, 0.1, 0.2)),
    )


def reliability(passes: Sequence[PassedVisit]) -> tuple[Bin, ...]:
    """Bins of equally many answered visits, by suspicion; none where not one bin can be filled."""
    known = sorted((one for one in passes if one.defective is not None), key=attrgetter("suspicion"))
    count = min(5, len(known) // LEAST_IN_BIN)
    edges = [len(known) * place // count for place in range(count + 1)] if count else [0]
    return tuple(_bin(known[start:end]) for start, end in pairwise(edges))


class _Ranking:
    """Passes by a score, worst first, for one budget after another; ties are diverted together or not at all."""

    def __init__(
        self, passes: Sequence[PassedVisit], weights: Sequence[float], score: Callable[[PassedVisit], float]
    ) -> None:
        self._scores = sorted((score(one) for one in passes), reverse=True)
        pairs = zip(passes, weights, strict=True)
        self._misses = [(score(one), weight) for one, weight in pairs if one.defective]
        self._whole = sum(weight for _, weight in self._misses)

    def at(self, budget: float) -> RiskCoverage:
        """The point that diverts as many visits as the budget allows, and never more."""
        count = int(budget * len(self._scores) + 1e-9)
        limit = self._scores[count] if count < len(self._scores) else float("-inf")  # what passes is no higher
        passed = [weight for score, weight in self._misses if score <= limit]
        diverted = sum(score > limit for score in self._scores) / len(self._scores)
        return RiskCoverage(diverted, sum(passed) / self._whole, len(passed))


def _weights(passes: Sequence[PassedVisit]) -> list[float]:
    """How many visits of its kind each answered visit stands for; 0 for those without an answer."""
    whole = [sum(one.is_doubted is kind for one in passes) for kind in (False, True)]
    known = [sum(one.is_doubted is kind and one.defective is not None for one in passes) for kind in (False, True)]
    return [0.0 if one.defective is None else whole[one.is_doubted] / known[one.is_doubted] for one in passes]


def _bin(known: Sequence[PassedVisit]) -> Bin:
    defective = sum(one.defective is True for one in known)
    mean = sum(one.suspicion for one in known) / len(known)
    n = len(known)
    return Bin(mean, n, defective, lower_limit(defective, n, 0.025), upper_limit(defective, n, 0.025))
