import numpy as np
import pytest

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.evaluation.comparison import caught_at_load, compare
from linewarden_train.training.calibration import (
    TrustRecipe,
    defect_threshold,
    fit_trust,
    suspicion_of,
    suspicion_threshold,
    worst_of_parts,
)
from linewarden_train.training.folder import TrainOptions, settings_of
from linewarden_train.training.scoring import RawScores
from linewarden_vision.card import CalibrationProvenance
from linewarden_vision.trust.registry import CHEAP_NAMES, SECOND_NAMES

_SOURCE = CalibrationProvenance(set_digest="0" * 64, set_name="t", n=1, curve_point="none", date="2026-01-01")


def _scores(count: int = 300) -> RawScores:
    rng = np.random.default_rng(0)
    labels = [
        Label("crack" if part % 3 == 0 and view == 0 else GOOD, f"p{part:03d}")
        for part in range(count)
        for view in range(2)
    ]
    shift = np.asarray([1.5 * label.defective for label in labels])
    names = (*CHEAP_NAMES, *SECOND_NAMES)
    columns = {name: rng.standard_normal(2 * count) + shift for name in names}
    return RawScores(columns, np.ones(2 * count), np.ones(2 * count), labels)


def test_a_clean_view_of_a_defective_part_is_neither_good_nor_defective() -> None:
    scores = _scores(6)
    assert scores.good.tolist() == [False, False, True, True, True, True] * 2
    assert scores.defective.tolist() == [True, False, False, False, False, False] * 2


def test_the_worst_view_speaks_for_the_part() -> None:
    worst = worst_of_parts(np.array([1.0, 5.0, 2.0, 0.0]), ["a", "b", "a", "b"], np.ones(4, bool))
    assert worst.tolist() == [2.0, 5.0]


@pytest.mark.parametrize(("overkill", "allowed"), [(0.0, 0), (0.01, 2), (0.05, 10)])
def test_the_defect_threshold_rejects_at_most_the_named_share_of_good_parts(overkill: float, allowed: int) -> None:
    margins = np.random.default_rng(1).standard_normal(200)
    threshold = defect_threshold(margins, overkill)
    assert (margins > threshold).sum() == allowed


def test_the_suspicion_threshold_diverts_at_most_the_named_share_ties_included() -> None:
    suspicion = np.r_[np.linspace(0, 0.5, 90), np.full(10, 0.9)]
    assert (suspicion >= suspicion_threshold(suspicion, 0.05)).sum() == 0
    assert (suspicion >= suspicion_threshold(suspicion, 0.10)).sum() == 10


def test_fitted_trust_separates_what_its_ingredients_separate() -> None:
    scores = _scores()
    card = fit_trust(scores, TrustRecipe(), _SOURCE)
    suspicion = suspicion_of(scores, card.build())
    assert np.median(suspicion[scores.defective]) > np.quantile(suspicion[scores.good], 0.9)
    assert card.second is not None
    above = suspicion_of(scores, card.build()) >= card.second.gate
    assert 0.05 < above[scores.good].mean() < 0.2


def test_rivals_are_compared_at_the_same_number_of_diverted_good_parts() -> None:
    defective = np.array([False] * 6 + [True] * 4)
    margin = np.array([-3.0, -2, -1, 0, 0, 9, -1.5, 0.5, 8, 9])
    trust = np.array([0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.95, 0.8, 0.1, 0.1])
    result = compare(
        {"trust": trust, "margin": margin},
        defective,
        "trust",
        reject_above=5.0,
        divert_from=0.7,
    )
    assert (result.good, result.defective, result.overkill, result.missed) == (6, 4, 1, 2)
    assert (result.good_passed, result.good_diverted, result.caught) == (5, 1, 2)
    assert result.rivals == {"margin": 1}
    assert (result.only_trust, result.only_margin) == (1, 0)
    assert result.p_value == 1.0
    assert result.expected_by_chance == pytest.approx(2 * 1 / 5)


def test_a_tie_with_the_good_part_at_the_edge_is_not_caught() -> None:
    assert caught_at_load(np.array([1.0, 2.0]), np.array([1.0, 0.0, 0.0]), 0).tolist() == [False, True]
    assert caught_at_load(np.array([1.0, 2.0]), np.array([1.0, 0.0, 0.0]), 1).all()
    assert caught_at_load(np.array([0.0]), np.array([1.0]), 1).all()


def test_with_defects_of_too_few_groups_suspicion_is_the_sum_of_rarities() -> None:
    every = _scores()
    kept = {label.group for label in every.labels if label.defective}
    few = set(sorted(kept)[:5])
    rows = [row for row, label in enumerate(every.labels) if label.group not in kept - few]
    columns = {name: values[rows] for name, values in every.ingredients.items()}
    ones = np.ones(len(rows))
    card = fit_trust(RawScores(columns, ones, ones, [every.labels[row] for row in rows]), TrustRecipe(), _SOURCE)
    assert len(set(card.logistic.coefficients)) == 1
    assert card.logistic.coefficients[0] > 0
    fitted = fit_trust(every, TrustRecipe(), _SOURCE)
    assert len(set(fitted.logistic.coefficients)) > 1


def test_scores_named_beforehand_are_the_recipe_each_in_its_own_look() -> None:
    named = TrustRecipe(cheap=("margin", "cell_peak"), second=("margin_turned",))
    assert TrustRecipe.of(["margin_turned", "margin", "cell_peak"]) == named
    options = TrainOptions("n", "2026-01-01", "0", scores=named.names)
    assert settings_of(options).trust == named
    assert settings_of(TrainOptions("n", "2026-01-01", "0")).trust == TrustRecipe()


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([], "one of one pass"),
        (["margin_turned"], "one of one pass"),
        (["margin", "margin"], "each once"),
        (["margin", "cell_peak", "agreement", "mask_evidence", "margin_turned"], "at most 4"),
        (["margin", "novelty"], "novelty needs a bank"),
        (["margin", "agreement_median"], "no trust score 'agreement_median' is installed"),
    ],
)
def test_scores_that_make_no_recipe_are_refused(names: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TrustRecipe.of(names)
