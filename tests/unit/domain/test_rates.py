"""Rates say of what they are, and how sure they are."""

from __future__ import annotations

import pytest

from linewarden_domain.rates import rate
from linewarden_history.shifts.p_chart import p_chart


def test_no_miss_among_59_bounds_the_rate_at_the_textbook_value() -> None:
    found = rate("miss_rate_of_defects", 0, 59)
    assert found.value == 0.0
    assert found.low == 0.0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 59))  # closed form where nothing was found


def test_an_interval_is_mirrored_with_its_share() -> None:
    bad, good = rate("a", 3, 20), rate("b", 17, 20)
    assert (bad.low, bad.high) == pytest.approx((1 - good.high, 1 - good.low))
    assert (bad.low, bad.high) == pytest.approx((0.0321, 0.3789), abs=5e-5)  # published tables of 3 in 20


def test_without_a_denominator_there_is_no_rate_and_no_evidence() -> None:
    assert (rate("x", 0, 0).value, rate("x", 0, 0).low, rate("x", 0, 0).high) == (None, 0.0, 1.0)


def test_more_than_all_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        rate("x", 3, 2)


def test_a_p_chart_has_its_centre_over_all_and_tells_the_subgroup_that_is_out() -> None:
    chart = p_chart([(0, 2, 100), (1, 1, 100), (2, 0, 0), (3, 15, 100)])
    assert chart["centre"] == pytest.approx(18 / 300)
    assert [(one["at_ms"], one["signal"]) for one in chart["points"]] == [(0, False), (1, False), (3, True)]
    assert chart["points"][0]["upper"] == 0.14  # P(X > 14) < 0.00135 <= P(X > 13) for Binomial(100, 0.06)
    assert chart["points"][0]["lower"] == 0.0


def test_smaller_subgroups_have_wider_limits_and_nothing_made_gives_no_chart() -> None:
    small, large = p_chart([(0, 1, 10), (1, 20, 200)])["points"]
    assert small["upper"] > large["upper"]
    assert small["lower"] < large["lower"]
    assert p_chart([(0, 0, 0)])["centre"] is None
