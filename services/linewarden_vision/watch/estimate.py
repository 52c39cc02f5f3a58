"""P(defect | trusted pass) of a running line, from audits drawn by a coin before anyone saw the part.

The rate is stratified: sum over strata of (N_h / N) k_h / m_h. Its upper limit is the same sum of Clopper-Pearson
limits at delta / H, divided by the lower limit of the station's catch rate on seeded known-bads at a share of delta of
its own. An audit that nobody answered counts as a miss in the upper limit. Windows are fixed beforehand: looking more
often needs more of them, not a second look at one. It is another quantity than a qualification's bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from linewarden_domain.rates import lower_limit, upper_limit


@dataclass(frozen=True, slots=True)
class CatchRecord:
    """Known-bads that were shown and those that were called NG; one nobody answered was shown and not caught."""

    shown: int
    caught: int

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        if not 0 <= self.caught <= self.shown:
            raise ValueError(f"{self.caught} caught of {self.shown} shown cannot be")

    @property
    def rate(self) -> float | None:
        """Share caught, None where nothing was shown."""
        return self.caught / self.shown if self.shown else None

    def lower(self, delta: float) -> float:
        """Return the one-sided Clopper-Pearson lower limit; 0 where nothing was shown."""
        return lower_limit(self.caught, self.shown, delta)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Passes of one window under one audit share: all of them, audits answered OK and NG, audits unanswered."""

    name: str
    passes: int
    found_good: int
    found_defective: int
    unanswered: int = 0

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        counts = (self.found_good, self.found_defective, self.unanswered)
        if min(*counts, self.passes) < 0 or sum(counts) > self.passes:
            raise ValueError(f"stratum {self.name}: {sum(counts)} audits of {self.passes} passes cannot be")

    @property
    def answered(self) -> int:
        """How many drawn audits people have answered, with whatever result."""
        return self.found_good + self.found_defective

    @property
    def drawn(self) -> int:
        """Audits with and without an answer."""
        return self.answered + self.unanswered


@dataclass(frozen=True, slots=True)
class LiveEstimate:
    """``rate`` is None where a stratum has no answered audit; ``upper`` holds at ``confidence``."""

    rate: float | None
    upper: float
    confidence: float
    passes: int
    audited: int
    unanswered: int
    found_defective: int
    catch_rate: float | None
    catch_lower: float
    shown: int
    caught: int


def estimate(
    strata: Sequence[Stratum], catches: CatchRecord, *, delta: float = 0.05, catch_share: float = 0.5
) -> LiveEstimate:
    """Estimate one window; ``catch_share`` of delta goes to the catch rate, the rest to the strata in equal parts.

    Raises ValueError without a pass, and for shares outside (0, 1).
    """
    passes = sum(stratum.passes for stratum in strata)
    if passes < 1:
        raise ValueError("no trusted pass in the window: there is nothing to estimate")
    if not 0 < delta < 1 or not 0 < catch_share < 1:
        raise ValueError(f"delta and its share lie between 0 and 1, not {delta:g} and {catch_share:g}")
    each = delta * (1 - catch_share) / len(strata)
    limit = sum(
        stratum.passes / passes * upper_limit(stratum.found_defective + stratum.unanswered, stratum.drawn, each)
        for stratum in strata
    )
    catch = catches.lower(delta * catch_share)
    return LiveEstimate(
        rate=_rate(strata, passes),
        upper=min(1.0, limit / catch) if catch > 0 else 1.0,
        confidence=1 - delta,
        passes=passes,
        audited=sum(stratum.answered for stratum in strata),
        unanswered=sum(stratum.unanswered for stratum in strata),
        found_defective=sum(stratum.found_defective for stratum in strata),
        catch_rate=catches.rate,
        catch_lower=catch,
        shown=catches.shown,
        caught=catches.caught,
    )


def _rate(strata: Sequence[Stratum], passes: int) -> float | None:
    """Return the stratified rate of what people found; strata without a pass say nothing and cost nothing."""
    busy = [stratum for stratum in strata if stratum.passes]
    if any(stratum.answered == 0 for stratum in busy):
        return None
    return sum(stratum.passes / passes * stratum.found_defective / stratum.answered for stratum in busy)
