"""Exploratory figures on sets that a pencil can check."""

import numpy as np
import pytest

from linewarden_train.evaluation.cohort import arrange
from linewarden_train.evaluation.evaluate import either_rule, either_score, rates_of
from linewarden_train.evaluation.masks import mask_figures
from linewarden_train.evaluation.ranking import average_precision, curve, load_for, pool, score_row, selective_area
from linewarden_train.evaluation.results import EvaluationPlan
from tests.unit.train.evaluation.sets import goods, scored_set

_PLAN = EvaluationPlan(bootstraps=0)


def test_ranking_figures_by_hand() -> None:
    # from suspicious to trusted: miss, good, miss, good
    rows = [("g1", False, 0, 3.0), ("g2", False, 0, 1.0), ("a", True, 0, 4.0), ("b", True, 0, 2.0)]
    cohort = arrange(scored_set(rows))
    values = cohort.scored.scores["trust"]
    row = score_row(cohort, "trust", values, _PLAN, np.zeros((0, 4)))
    assert row.auroc == pytest.approx(3 / 4)
    assert row.average_precision == pytest.approx((1 + 2 / 3) / 2)
    # accepted in turn: good, miss, good, miss -> risk 0, 1/2, 1/3, 1/2; joint 0, 1/4, 1/4, 1/2
    assert row.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert row.augrc == pytest.approx((0 + 1 / 4 + 1 / 4 + 1 / 2) / 4)
    assert row.diverted_for_all == pytest.approx(0.5)
    assert row.recall["0.05"] == pytest.approx(0.5)


def test_a_score_that_says_nothing_has_an_auroc_of_one_half() -> None:
    rows = [("g1", False, 0, 1.0), ("g2", False, 0, 1.0), ("a", True, 0, 1.0)]
    cohort = arrange(scored_set(rows))
    pooled = pool(cohort, cohort.scored.scores["trust"])
    row = score_row(cohort, "trust", cohort.scored.scores["trust"], _PLAN, np.zeros((0, 3)))
    assert row.auroc == pytest.approx(0.5)
    assert average_precision(pooled) == pytest.approx(1 / 3)
    assert selective_area(pooled, generalised=False) == pytest.approx(1 / 3)
    assert row.diverted_for_all == 1.0


def test_the_load_for_a_share_of_groups_is_an_order_statistic() -> None:
    rows = [*goods(20), *[(f"d{number:02d}", True, 0.0, number + 0.5) for number in range(20)]]
    cohort = arrange(scored_set(rows, reject_above=100))
    row = score_row(cohort, "trust", cohort.scored.scores["trust"], _PLAN, np.zeros((0, 40)))
    assert row.diverted_for_95 == pytest.approx(18 / 20)
    assert row.diverted_for_all == pytest.approx(19 / 20)
    assert load_for(cohort, np.arange(20.0), 0.5) == 9.0


def test_the_curve_starts_at_what_costs_nothing_and_falls_to_zero() -> None:
    rows = [*goods(4), ("a", True, 0, 99.0), ("b", True, 0, 1.5), ("c", True, 99.0, 0)]
    cohort = arrange(scored_set(rows))
    found = curve(cohort, "trust", cohort.scored.scores["trust"])
    assert found.diverted == [0.0, 0.5]
    assert found.trusted_pass_rate_of_defects == pytest.approx([1 / 3, 0.0])


def test_either_is_compared_at_the_load_that_its_masks_cost() -> None:
    rows = [*goods(10), ("a", True, 0, 9.5), ("b", True, 8.5, 0.0), ("c", True, 0.0, 0.0)]
    shown = [False] * 9 + [True] + [True, False, False]
    cohort = arrange(scored_set(rows, mask_any=shown))
    found = either_rule(cohort, {"trust": cohort.scored.scores["trust"], "margin": cohort.scored.margin})
    assert found is not None
    assert found.total_load == pytest.approx(0.1)
    assert found.recall == pytest.approx(1 / 3)
    assert found.at_same_load == {"trust": pytest.approx(1 / 3), "margin": pytest.approx(1 / 3)}
    assert np.isinf(either_score(cohort)).tolist() == shown


def test_rates_have_their_own_denominators_and_count_groups() -> None:
    rows = [*goods(9), ("ng", False, 50, 0), ("a", True, 50, 0), ("a", True, 0, 0), ("b", True, 0, 0)]
    found = rates_of(arrange(scored_set(rows)))
    assert found.overkill_rate_of_good == pytest.approx(0.1)
    assert found.miss_rate_of_defects == pytest.approx((0.5 + 1) / 2)
    assert (found.defective.n_pictures, found.defective.n_groups, found.missed.n_groups) == (3, 2, 2)


def test_ranking_of_pictures_survives_margins_that_a_sigmoid_would_flatten() -> None:
    rows = [("g", False, 200.0, 0), ("h", False, 400.0, 0), ("a", True, 300.0, 0), ("b", True, 500.0, 0)]
    found = rates_of(arrange(scored_set(rows)))
    assert found.image_auroc == pytest.approx(3 / 4)
    assert found.image_average_precision == pytest.approx((1 + 2 / 3) / 2)


def test_mask_figures_are_those_of_the_metrics() -> None:
    # half found and rejected; missed; clear; false alarm; unannotated
    rows = [("a", True, 99, 0), ("b", True, 0, 0), ("c", False, 0, 0), ("d", False, 0, 0), ("e", True, 0, 0)]
    pixels = [(2, 2, 4, 6), (0, 0, 1, 6), (0, 0, 0, 6), (0, 1, 0, 6), (-1, -1, -1, -1)]
    found = mask_figures(arrange(scored_set(rows, pixels=pixels)))
    assert found.unannotated == 1
    assert found.size.n_pictures == 4
    assert found.pooled_iou == pytest.approx(2 / 6)
    assert found.sample_miou == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert found.seg_miou == pytest.approx((0.5 + 0 + 0) / 3)
    assert found.seg_recall == pytest.approx((0.5 + 0) / 2)
    assert found.two_class_pooled_miou == pytest.approx((2 / 6 + 18 / 22) / 2)
    assert found.by_class[0].defect_class == "crack"
    assert found.by_class[0].defect_iou == pytest.approx(0.25)
    assert found.by_class[0].miss_rate_of_defects == pytest.approx(2 / 3)
    assert found.by_class[0].annotated == 2
