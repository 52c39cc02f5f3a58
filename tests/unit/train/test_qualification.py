import numpy as np
import pytest
from scipy.stats import binom, norm

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.qualification import NotCertifiableError, draw_per_group, qualify, upper_limit


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
    """Count runs whose limit passes more than 10 % of fresh defects: ties, and clusters of near-duplicates."""
    rng = np.random.default_rng(4)
    groups, size, rate = 60, 5, 0.10
    broken = 0
    for _ in range(runs):
        centre = rng.standard_normal((groups, 1))
        clustered = np.sqrt(0.9) * centre + np.sqrt(0.1) * rng.standard_normal((groups, size))
        scores = np.round(clustered, 1)
        chosen = scores.ravel() if per_picture else scores[:, 0]
        limit = qualify(chosen, rate=rate, delta=0.05).limit
        broken += int(_passed(limit) > rate)
    return broken


def _passed(limit: float) -> float:
    """P(round(z, 1) < limit) for a standard normal z."""
    return float(norm.cdf(limit - 0.05))


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
