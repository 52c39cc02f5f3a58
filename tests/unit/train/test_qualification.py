import numpy as np
import pytest
from scipy.stats import binom, norm

from linewarden_domain.rates import lower_limit, upper_limit
from linewarden_train.data.samples import GOOD, Label
from linewarden_train.qualification.bound import (
    Bound,
    NotCertifiableError,
    allowed_misses,
    draw_per_group,
    groups_needed,
    qualify,
    system_escapes,
)


@pytest.mark.parametrize(("groups", "rate"), [(59, 0.05), (110, 0.027), (299, 0.01), (2995, 0.001)])
def test_with_no_miss_allowed_the_known_sample_sizes_suffice(groups: int, rate: float) -> None:
    scores = np.arange(groups, dtype=float)
    result = qualify(scores, rate=rate, delta=0.05)
    assert (result.allowed, result.limit) == (0, 0.0)


def test_one_group_fewer_is_not_certifiable() -> None:
    with pytest.raises(NotCertifiableError, match="n = 58"):
        qualify(np.arange(58.0), rate=0.05, delta=0.05)


def test_an_undecidable_picture_must_come_as_infinitely_suspicious() -> None:
    with pytest.raises(ValueError, match="infinitely suspicious"):
        qualify(np.r_[np.arange(100.0), np.nan], rate=0.05, delta=0.05)
    assert qualify(np.full(100, np.inf), rate=0.05, delta=0.05).limit == np.inf


def test_one_picture_per_defective_group_is_drawn_and_no_good_one() -> None:
    labels = [Label("crack", "b"), Label("crack", "a"), Label(GOOD, "a"), Label("pore", "a"), Label(GOOD, "c")]
    drawn = draw_per_group(labels, np.random.default_rng(0))
    assert len(drawn) == 2
    assert drawn[0] in {1, 3}
    assert drawn[1] == 0


def _violations(*, per_picture: bool, runs: int = 2000) -> int:
    """Count runs whose limit passes more than 10 % of fresh defects: ties, and clusters of near-duplicates.

    All runs at once; the limit is the one that ``qualify`` chooses, checked on the first runs.
    """
    rng = np.random.default_rng(4)
    groups, size, rate = 60, 5, 0.10
    centre = rng.standard_normal((runs, groups, 1))
    scores = np.round(np.sqrt(0.9) * centre + np.sqrt(0.1) * rng.standard_normal((runs, groups, size)), 1)
    chosen = scores.reshape(runs, -1) if per_picture else scores[:, :, 0]
    allowed = allowed_misses(chosen.shape[1], rate, 0.05)
    assert allowed is not None
    limits = np.sort(chosen, axis=1)[:, allowed]
    assert [qualify(chosen[run], rate=rate, delta=0.05).limit for run in range(20)] == limits[:20].tolist()
    passed = norm.cdf(limits - 0.05)  # P(round(z, 1) < limit) of a standard normal z
    return int((passed > rate).sum())


def test_the_bound_holds_over_groups_and_fails_over_pictures() -> None:
    allowed = int(binom.ppf(0.999, 2000, 0.05))
    assert allowed >= 129
    assert _violations(per_picture=False) <= 129
    assert _violations(per_picture=True) > 200


def test_the_upper_limit_is_clopper_pearsons() -> None:
    assert upper_limit(0, 59, 0.05) == pytest.approx(1 - 0.05 ** (1 / 59))
    limit = upper_limit(3, 50, 0.05)
    assert binom.cdf(3, 50, limit) == pytest.approx(0.05)
    assert upper_limit(5, 5, 0.05) == 1.0


def test_the_lower_limit_mirrors_the_upper_one() -> None:
    assert lower_limit(59, 59, 0.05) == pytest.approx(0.05 ** (1 / 59))
    assert lower_limit(47, 50, 0.05) == pytest.approx(1 - upper_limit(3, 50, 0.05))
    assert lower_limit(0, 50, 0.05) == 0.0


@pytest.mark.parametrize("rate", [0.05, 0.027, 0.01, 0.001])
def test_the_groups_needed_are_the_fewest_that_can_be_certified(rate: float) -> None:
    needed = groups_needed(rate, 0.05)
    assert allowed_misses(needed, rate, 0.05) == 0
    assert allowed_misses(needed - 1, rate, 0.05) is None


def test_a_class_is_drawn_from_its_own_pictures() -> None:
    labels = [Label("crack", "a"), Label("pore", "a"), Label("pore", "b")]
    assert draw_per_group(labels, np.random.default_rng(0), "pore") == [1, 2]
    assert draw_per_group(labels, np.random.default_rng(0), "dent") == []


def test_ties_with_the_limit_are_diverted() -> None:
    bound = qualify(np.r_[np.full(5, 0.25), np.ones(95)], rate=0.05, delta=0.05)
    assert bound.limit == 0.25
    assert bound.allowed == 1


def test_system_escapes_add_what_people_miss_among_what_is_diverted() -> None:
    bound = Bound(limit=0.5, groups=100, allowed=1, rate=0.05, delta=0.01)
    found = system_escapes(bound, diverted=40, operator_misses=2, operator_shown=200)
    assert found.diverted_share == pytest.approx(upper_limit(40, 100, 0.01))
    assert found.operator_miss_rate == pytest.approx(upper_limit(2, 200, 0.01))
    assert found.limit == pytest.approx(0.05 + found.diverted_share * found.operator_miss_rate)
    assert found.confidence == pytest.approx(0.97)
    with pytest.raises(ValueError, match="no study"):
        system_escapes(bound, diverted=40, operator_misses=0, operator_shown=0)
