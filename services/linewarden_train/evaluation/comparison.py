"""Trust against its rivals at equal load: above all against simply lowering the threshold.

Among parts that a binary network passes, softmax confidence ranks exactly as the margin does, so
the margin is the rival that every trust score has to beat.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from linewarden_domain.resampling import Values
from linewarden_train.evaluation.evaluate import sign_test


@dataclass(frozen=True, slots=True)
class TrustComparison:
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
    rivals: Mapping[str, int]
    """Misses caught by each other score when it diverts as many passed good parts as trust does."""

    @property
    def p_value(self) -> float:
        """Return the two-sided exact paired test of trust against the margin over missed parts."""
        return sign_test(self.only_trust, self.only_margin)

    @property
    def expected_by_chance(self) -> float:
        """Return the misses that a coin with the same diversion rate would catch on average."""
        return self.missed * self.good_diverted / max(1, self.good_passed)

    def as_table(self) -> Table:
        """Lay out counts; each rate names its denominator."""
        table = Table(title="Report set: synthetic parts, seen once", title_justify="left")
        table.add_column("what")
        table.add_column("count", justify="right")
        table.add_column("of", justify="right")
        table.add_column("rate", justify="right")
        for what, count, of in self._lines():
            table.add_row(what, str(count), str(of), f"{count / of:.1%}" if of else "no evidence")
        table.add_row("misses a coin would divert at the same load", f"{self.expected_by_chance:.1f}", "", "")
        table.caption = self._paired()
        return table

    def in_words(self) -> list[str]:
        """Return one sentence per count, for the card's notes."""
        counted = [f"{what}: {count} of {of}" for what, count, of in self._lines()]
        return ["synthetic parts only; says nothing about real ones", *counted, self._paired()]

    def _lines(self) -> list[tuple[str, int, int]]:
        fixed = [
            ("good parts called NG (overkill)", self.overkill, self.good),
            ("defective parts missed by the threshold", self.missed, self.defective),
            ("passed good parts diverted", self.good_diverted, self.good_passed),
            ("misses caught by trust", self.caught, self.missed),
        ]
        names = {"margin": "misses caught by lowering the threshold, same load"}
        rivals = [
            (names.get(name, f"misses caught by {name} alone, same load"), caught, self.missed)
            for name, caught in self.rivals.items()
        ]
        return fixed + rivals

    def _paired(self) -> str:
        return (
            f"misses caught by trust only: {self.only_trust}, by lowering the threshold only: "
            f"{self.only_margin}; exact paired test p = {self.p_value:.2g}"
        )


def compare(
    scores: Mapping[str, Values], defective: NDArray[np.bool_], trust: str, *, reject_above: float, divert_from: float
) -> TrustComparison:
    """Count at fixed thresholds for ``trust``; rivals are set to the same number of diverted good parts.

    ``scores`` are suspicion by name, ``margin`` among them, and ``defective`` the truth, (N,) parts each.
    """
    margin = scores["margin"]
    passed = margin <= reject_above
    good_passed, missed = passed & ~defective, passed & defective
    diverted = scores[trust] >= divert_from
    load = int((diverted & good_passed).sum())
    rivals = {
        name: int(caught_at_load(values[missed], values[good_passed], load).sum())
        for name, values in scores.items()
        if name != trust
    }
    by_trust = diverted[missed]
    by_margin = caught_at_load(margin[missed], margin[good_passed], load)
    return TrustComparison(
        good=int((~defective).sum()),
        defective=int(defective.sum()),
        overkill=int((~passed & ~defective).sum()),
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
