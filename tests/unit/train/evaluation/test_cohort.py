"""Loads, recalls and the sign test, by hand."""

import numpy as np
import pytest

from linewarden_train.evaluation.cohort import arrange, draw_groups, interval, loads, recall
from linewarden_train.evaluation.evaluate import NEEDED, evaluate, findings_of, primary, sign_test
from linewarden_train.evaluation.results import Evaluation, EvaluationPlan
from linewarden_train.evaluation.scored import pool
from tests.unit.train.evaluation.sets import goods, scored_set


def _load(rows: list[tuple[str, bool, float, float]], **kwargs: list[int]) -> list[float]:
    scored = scored_set(rows, fold=kwargs.get("fold"), seed=kwargs.get("seed"))
    cohort = arrange(scored)
    return [round(float(value), 6) for value in loads(cohort, scored.scores["trust"], cohort.ones)[0]]


def test_the_load_of_a_miss_is_the_share_of_good_groups_at_or_above_it() -> None:
    rows = [*goods(10), ("a", True, 0, 8.5), ("b", True, 0, 8.0), ("c", True, 0, 99.0), ("d", True, 0, -1.0)]
    assert _load(rows) == [0.1, 0.2, 0.0, 1.0]


def test_a_group_of_many_good_pictures_weighs_as_much_as_one() -> None:
    rows = [("big", False, 0.0, 5.0)] * 9 + [("small", False, 0.0, 1.0), ("a", True, 0, 3.0)]
    assert _load(rows) == [0.5]


def test_rejected_good_parts_count_in_the_denominator_and_are_not_diverted() -> None:
    rows = [*goods(9), ("ng", False, 50.0, 99.0), ("a", True, 0, 7.5)]
    assert _load(rows) == [0.1]


def test_networks_with_other_scales_are_pooled_by_their_own_good_parts() -> None:
    low = [*goods(4), ("a", True, 0.0, 3.5)]
    high = [(f"h{name}", defective, margin, trust + 1000) for name, defective, margin, trust in low]
    assert _load(low + high, fold=[0] * 5 + [1] * 5) == [0.0, 0.0]
    assert _load(low + high)[0] == 0.5


def test_a_score_that_is_not_a_number_diverts_first() -> None:
    assert _load([*goods(4), ("a", True, 0, float("nan"))]) == [0.0]
    assert _load([*goods(3), ("n", False, 0, float("nan")), ("a", True, 0, 99.0)]) == [0.25]


def test_pictures_and_seeds_of_a_group_are_averaged_first() -> None:
    rows = [*goods(20), ("a", True, 0, 99.0), ("a", True, 0, 99.0), ("a", True, 0, 0.5), ("b", True, 0, 0.5)]
    cohort = arrange(scored_set(rows))
    load = loads(cohort, cohort.scored.scores["trust"], cohort.ones)
    assert float(recall(cohort, load, 0.05, cohort.ones)[0]) == pytest.approx((2 / 3 + 0) / 2)


def test_a_network_with_misses_needs_good_parts() -> None:
    with pytest.raises(ValueError, match="no good picture"):
        arrange(scored_set([*goods(3), ("a", True, 0, 1)], fold=[0, 0, 0, 1]))


def test_six_discordant_groups_all_one_way_are_needed() -> None:
    assert sign_test(NEEDED, 0) == pytest.approx(0.03125)
    assert sign_test(NEEDED - 1, 0) > 0.05
    assert sign_test(6, 1) > 0.05
    assert sign_test(0, 0) == 1.0


def test_the_endpoint_counts_groups_and_names_those_that_differ() -> None:
    by_trust = [(f"t{number}", True, -5.0, 99.0) for number in range(6)]
    by_margin = [("m", True, 9.0, -1.0)]
    both = [("x", True, 9.5, 99.0), ("x", True, -5.0, -1.0)]
    scored = scored_set([*goods(8), *by_trust, *by_margin, *both])
    cohort = arrange(scored)
    found = primary(cohort, EvaluationPlan(bootstraps=50), draw_groups(cohort, 50, np.random.default_rng(0)))
    assert found is not None
    assert found.more_by_score == [f"t{number}" for number in range(6)]
    assert found.more_by_rival == ["m"]
    assert (found.tied, found.discordant) == (1, 7)
    assert found.p_value == pytest.approx(0.125)
    assert found.recall.value == pytest.approx(6.5 / 8)
    assert found.rival_recall.value == pytest.approx(1.5 / 8)
    assert found.recall.low is not None
    assert found.recall.high is not None
    assert found.recall.low <= 6.5 / 8 <= found.recall.high
    assert (found.size.n_pictures, found.size.n_groups, found.size.n_seeds) == (9, 8, 1)


def test_bootstrap_draws_whole_groups_and_keeps_the_number_of_each_side() -> None:
    cohort = arrange(scored_set([*goods(5), ("a", True, 0, 1), ("a", True, 0, 2), ("b", True, 0, 3)]))
    draws = draw_groups(cohort, 200, np.random.default_rng(0))
    tainted = np.isin(np.asarray(cohort.names), ["a", "b"])
    assert (draws[:, tainted].sum(1) == 2).all()
    assert (draws[:, ~tainted].sum(1) == 5).all()
    load = loads(cohort, cohort.scored.scores["trust"], draws)
    assert load.shape == (200, 3)
    assert load.min() >= 0
    assert load.max() <= 1


def test_a_drawn_load_is_the_load_of_the_set_with_groups_repeated() -> None:
    rows = [*goods(4), ("a", True, 0, 1.5)]
    cohort = arrange(scored_set(rows))
    twice = np.asarray([[2.0 if name == "good-03" else 1.0 for name in cohort.names]])
    assert float(loads(cohort, cohort.scored.scores["trust"], twice)[0, 0]) == pytest.approx(3 / 5)


def test_an_interval_without_evidence_is_none() -> None:
    assert interval(None, np.asarray([0.5]), 0.95).value is None
    assert interval(0.5, np.asarray([np.nan]), 0.95).low is None


def test_groups_of_mixed_labels_are_listed_and_results_given_without_them() -> None:
    rows = [*goods(30), ("mix", True, 0, 99.0), ("mix", False, 0, 98.0), ("a", True, 0, -1.0)]
    found = evaluate(scored_set(rows, reject_above=100), EvaluationPlan(bootstraps=10), np.random.default_rng(0))
    assert found.mixed_groups == ["mix"]
    assert found.findings.endpoint is not None
    assert found.findings.endpoint.recall.value == pytest.approx(0.5)
    assert found.without_mixed is not None
    assert found.without_mixed.endpoint is not None
    assert found.without_mixed.endpoint.recall.value == 0.0
    assert found.without_mixed.rates.good.n_groups == 30


def test_without_a_miss_there_is_no_endpoint_and_no_zero() -> None:
    found = evaluate(
        scored_set([*goods(5), ("a", True, 99.0, 1)]), EvaluationPlan(bootstraps=5), np.random.default_rng(0)
    )
    assert found.findings.endpoint is None
    assert found.findings.scores[0].auroc is None
    assert found.findings.rates.miss_rate_of_defects == 0.0
    assert found.findings.random_catches_all == {}
    assert found.findings.curves[0].trusted_pass_rate_of_defects == [0.0]


def test_an_unknown_score_names_those_that_are_there() -> None:
    with pytest.raises(ValueError, match="there are margin, trust"):
        evaluate(scored_set([*goods(3), ("a", True, 0, 1)]), EvaluationPlan(score="magic"), np.random.default_rng(0))


def test_an_evaluation_survives_json_and_equal_seeds_agree() -> None:
    scored = scored_set([*goods(12), ("a", True, 0, 6.5), ("b", True, 3, 99)], reject_above=100)
    first, second = (
        evaluate(scored, EvaluationPlan(bootstraps=20), np.random.default_rng(1), divert_from=6.0) for _ in "ab"
    )
    assert first == second
    assert Evaluation.model_validate_json(first.model_dump_json()) == first
    assert first.n == 2
    assert first.operating is not None
    assert first.operating.recall == 1.0
    assert first.operating.diverted_share_of_good == 0.5


def test_undecidable_pictures_are_counted_and_never_passed() -> None:
    rows = [*goods(4), ("u", True, float("nan"), float("nan")), ("v", False, float("nan"), 0.0), ("a", True, 0, 9.0)]
    found = findings_of(arrange(scored_set(rows)), EvaluationPlan(bootstraps=0), np.random.default_rng(0))
    assert (found.rates.undecidable_defective, found.rates.undecidable_good) == (1, 1)
    assert found.rates.miss_rate_of_defects == 0.5
    assert found.curves[0].trusted_pass_rate_of_defects[-1] == 0.0


def test_pooling_keeps_the_scores_that_all_networks_have() -> None:
    one = scored_set(goods(3), scores={"extra": [1, 2, 3]})
    both = pool([one, scored_set(goods(2))])
    assert len(both.labels) == 5
    assert set(both.scores) == {"trust"}
    with pytest.raises(ValueError, match="nothing to pool"):
        pool([])


def test_columns_of_unequal_length_are_named() -> None:
    with pytest.raises(ValueError, match="extra"):
        scored_set(goods(3), scores={"extra": [1]})
