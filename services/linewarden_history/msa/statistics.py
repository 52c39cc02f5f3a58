"""What a study says of one appraiser, and of several: pure, each figure as its source defines it.

Effectiveness, miss and false alarm: AIAG, Measurement Systems Analysis, 4th edition (2010), attribute studies: correct
decisions of all, OK of the decisions on defective parts, NG of those on good parts. Kappa against the reference and
between two: J. Cohen (1960). Kappa within an appraiser and between all: J. L. Fleiss, Psychological Bulletin 76 (1971).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linewarden_domain.rates import Rate, rate
from linewarden_domain.resampling import Estimate, Values, estimate
from linewarden_history.msa.models import ReferenceValue
from linewarden_schemas.vocabulary import Judgement as Answer

ANSWERS = tuple(Answer)
Answers = Mapping[str, Sequence[Answer]]
"""One appraiser's answers by part, in the order of the rounds."""


@dataclass(frozen=True, slots=True)
class DecisionRate:
    """A share of decisions. `parts` is how many parts stand behind it; the interval draws parts."""

    name: str
    count: int
    of: int
    parts: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Appraised:
    """Everything about one appraiser; rates by part say in how many parts it held in every round."""

    effectiveness: DecisionRate
    miss: DecisionRate
    false_alarm: DecisionRate
    unsure: DecisionRate
    alike_by_part: Rate
    right_by_part: Rate
    within: Estimate
    against_reference: Estimate


def appraise(answers: Answers, references: Mapping[str, ReferenceValue], seed: int) -> Appraised:
    """All figures of one appraiser; parts without an answer count nowhere."""
    judged = {part: list(said) for part, said in answers.items() if said}
    bad = {part: said for part, said in judged.items() if references[part] is ReferenceValue.NG}
    good = {part: said for part, said in judged.items() if references[part] is ReferenceValue.OK}
    repeated = {part: said for part, said in judged.items() if len(said) > 1}
    right = [all(one.value == references[part].value for one in said) for part, said in judged.items()]
    alike = [len(set(said)) == 1 for said in repeated.values()]
    return Appraised(
        effectiveness=_decisions("effectiveness_of_decisions", judged, references, seed),
        miss=_decisions("miss_rate_of_decisions_on_defects", bad, dict.fromkeys(bad, Answer.OK), seed),
        false_alarm=_decisions("false_alarm_rate_of_decisions_on_good", good, dict.fromkeys(good, Answer.NG), seed),
        unsure=_decisions("unsure_rate_of_decisions", judged, dict.fromkeys(judged, Answer.UNSURE), seed),
        alike_by_part=rate("alike_in_every_round_of_repeated_parts", sum(alike), len(alike)),
        right_by_part=rate("right_in_every_round_of_parts", sum(right), len(right)),
        within=fleiss(repeated, seed),
        against_reference=cohen([(said, [references[part]] * len(said)) for part, said in judged.items()], seed),
    )


def between(answers: Sequence[Answers], seed: int) -> Estimate:
    """Fleiss' kappa over all answers of all appraisers, of the parts that all of them judged."""
    if len(answers) < 2:
        return Estimate(None, None, None)
    shared = set(answers[0]).intersection(*answers[1:])
    return fleiss({part: [one for said in answers for one in said[part]] for part in sorted(shared)}, seed)


def pair(first: Answers, second: Answers, seed: int) -> Estimate:
    """Cohen's kappa of two appraisers, round against round of each part that both judged equally often.

    Of a part that one of them judged less often nothing tells which rounds belong together: it is left out.
    """
    shared = sorted(part for part in set(first) & set(second) if len(first[part]) == len(second[part]))
    return cohen([(first[part], second[part]) for part in shared], seed)


def cohen(by_part: Sequence[tuple[Sequence[str], Sequence[str]]], seed: int) -> Estimate:
    """Cohen's kappa of pairs of answers, given part by part."""
    size = len(ANSWERS)
    tables = np.zeros((len(by_part), size, size))
    for place, (first, second) in enumerate(by_part):
        for one, other in zip(first, second, strict=True):
            tables[place, ANSWERS.index(Answer(one)), ANSWERS.index(Answer(other))] += 1

    def kappa(sums: Values) -> Values:
        shares = sums.reshape(-1, size, size)
        shares = shares / shares.sum(axis=(1, 2), keepdims=True)
        by_chance = (shares.sum(axis=1) * shares.sum(axis=2)).sum(axis=1)
        return _beyond(np.trace(shares, axis1=1, axis2=2), by_chance)

    return estimate(tables.reshape(len(by_part), size * size), kappa, seed)


def fleiss(by_part: Answers, seed: int) -> Estimate:
    """Fleiss' kappa; parts with another number of answers than most are left out, since it needs the same for all."""
    lengths = [len(said) for said in by_part.values() if len(said) > 1]
    usual = max(sorted(set(lengths)), key=lengths.count, default=0)
    if not usual:
        return Estimate(None, None, None)
    counts = np.array(
        [[said.count(one) for one in ANSWERS] for said in map(list, by_part.values()) if len(said) == usual]
    )
    alike = (np.square(counts).sum(axis=1, keepdims=True) - usual) / (usual * (usual - 1))
    rows = np.hstack([counts, alike, np.ones((len(counts), 1))])

    def kappa(sums: Values) -> Values:
        parts = sums[:, -1]
        shares = sums[:, : len(ANSWERS)] / (parts[:, None] * usual)
        return _beyond(sums[:, -2] / parts, np.square(shares).sum(axis=1))

    return estimate(rows.astype(float), kappa, seed)


def _beyond(alike: Values, by_chance: Values) -> Values:
    """Agreement beyond chance; not a number where chance alone makes all alike."""
    left = 1 - by_chance
    safe = np.where(left > 1e-12, left, 1.0)
    return np.where(left > 1e-12, (alike - by_chance) / safe, np.nan)


def _decisions(name: str, answers: Answers, counted: Mapping[str, str], seed: int) -> DecisionRate:
    """How often an appraiser says what is counted.

    Where it never or always does, drawing parts again says nothing: there the interval is the exact one of as many
    independent parts (Clopper-Pearson).
    """
    rows = np.array([[sum(one == counted[part] for one in said), len(said)] for part, said in answers.items()], float)
    if not len(rows):
        return DecisionRate(name, 0, 0, 0, None, 0.0, 1.0)
    hits, tries = (int(one) for one in rows.sum(axis=0))
    if hits in {0, tries}:
        exact = rate(name, len(rows) if hits else 0, len(rows))
        return DecisionRate(name, hits, tries, len(rows), hits / tries, exact.low, exact.high)
    found = estimate(rows, lambda sums: sums[:, 0] / sums[:, 1], seed)
    return DecisionRate(name, hits, tries, len(rows), found.value, found.low or 0.0, found.high or 0.0)
