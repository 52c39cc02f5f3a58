import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewarden_vision.trust.suspicion import Logistic, Normaliser, fit_logistic, group_weights

_NUMBERS = st.floats(-1e3, 1e3)


@given(st.lists(_NUMBERS, min_size=20, max_size=60), st.lists(_NUMBERS, min_size=2, max_size=20))
def test_rarity_never_falls_as_a_value_grows(good: list[float], values: list[float]) -> None:
    rarity = Normaliser.fit(np.array(good))(np.sort(values))
    assert (np.diff(rarity) >= 0).all()
    assert (rarity >= 0).all()
    assert np.isfinite(rarity).all()


def test_rarity_is_the_definition_below_the_knee() -> None:
    good = np.arange(100.0)
    rarity = Normaliser.fit(good)
    for value in (-1.0, 0.0, 10.5, 50.0, 93.0):
        expected = -np.log((1 + (good >= value).sum()) / 101)
        assert rarity(np.array([value]))[0] == pytest.approx(expected)


def test_rarity_grows_in_a_straight_line_above_the_knee() -> None:
    rarity = Normaliser.fit(np.arange(100.0))
    far = rarity(np.array([200.0, 300.0, 400.0]))
    assert far[1] - far[0] == pytest.approx(far[2] - far[1])
    assert far[0] > rarity(np.array([99.0]))[0]


def test_what_is_not_a_number_is_infinitely_rare_and_fully_suspicious() -> None:
    rarity = Normaliser.fit(np.arange(30.0))(np.array([np.nan, 1.0]))
    assert np.isinf(rarity[0])
    suspicion = Logistic(-3.0, (1.0,))(rarity[:, None])
    assert suspicion[0] == 1.0
    assert suspicion[1] < 0.5


def test_a_missing_value_is_fully_suspicious_even_where_its_ingredient_is_switched_off() -> None:
    assert Logistic(-9.0, (0.0, 1.0))(np.array([[np.nan, 0.0]]))[0] == 1.0


@pytest.mark.parametrize("good", [np.arange(9.0), np.r_[np.arange(30.0), np.nan]])
def test_too_few_or_broken_good_values_are_refused(good: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 10 finite"):
        Normaliser.fit(good)


def test_a_misleading_ingredient_gets_no_negative_coefficient() -> None:
    rng = np.random.default_rng(0)
    defective = np.arange(400) % 2 == 0
    helpful = np.abs(rng.standard_normal(400)) + 1.5 * defective
    misleading = np.abs(rng.standard_normal(400)) + 1.5 * ~defective
    fitted = fit_logistic(np.stack([helpful, misleading], 1), defective, np.ones(400))
    assert fitted.coefficients[0] > 0.5
    assert fitted.coefficients[1] == 0.0


def test_a_group_counts_once_however_many_pictures_it_has() -> None:
    rng = np.random.default_rng(1)
    rarities = np.abs(rng.standard_normal((60, 2)))
    defective = np.arange(60) >= 30
    groups = [f"g{index}" for index in range(60)]
    once = fit_logistic(rarities, defective, group_weights(groups))
    again = np.r_[np.arange(60), np.full(40, 59)]  # one defective picture forty times more
    repeated = fit_logistic(rarities[again], defective[again], group_weights([groups[i] for i in again]))
    assert repeated.coefficients == pytest.approx(once.coefficients, abs=1e-3)


def test_more_than_four_ingredients_or_one_side_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 4"):
        fit_logistic(np.ones((4, 5)), np.array([True, True, False, False]), np.ones(4))
    with pytest.raises(ValueError, match="good and of defective"):
        fit_logistic(np.ones((4, 2)), np.ones(4, bool), np.ones(4))
