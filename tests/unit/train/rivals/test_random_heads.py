"""The check must pass where the head matters and fail where it does not."""

import numpy as np
import pytest
import torch

from linewarden_train.data.samples import GOOD, Label
from linewarden_train.rivals.random_heads import (
    RandomHeads,
    agreements_under,
    auroc,
    compare_heads,
    head_scores,
)
from linewarden_vision.trust.agreement import agreement_difference
from linewarden_vision.trust.maps import make_maps
from tests.unit.train.rivals.test_rivals import _Samples
from tests.unit.vision.helpers import small_card, small_network


def _labels(missed: int, good: int) -> list[Label]:
    return [Label("crack", f"d{index}") for index in range(missed)] + [
        Label(GOOD, f"g{index}") for index in range(good)
    ]


def _compare(separation: float, *, flipped: bool = False, seed: int = 0) -> RandomHeads:
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((60, 201))
    scores[:20, 0] += separation * (-1 if flipped else 1)
    return compare_heads(scores, np.ones(60, bool), _labels(20, 40))


def test_a_head_that_separates_passes_and_one_that_does_not_fails() -> None:
    assert _compare(2.0).passed
    assert not _compare(0.0).passed


def test_a_head_that_separates_the_wrong_way_round_fails() -> None:
    result = _compare(2.0, flipped=True)
    assert result.trained < 0.5
    assert not result.passed


def test_a_head_as_good_as_random_ones_fails_though_all_are_good() -> None:
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((60, 201))
    scores[:20] += 1.5 * rng.choice([-1, 1], 201)  # whatever the head, the taps give it away; its sign is chance
    scores[:20, 0] = np.abs(scores[:20, 0])
    result = compare_heads(scores, np.ones(60, bool), _labels(20, 40))
    assert result.trained > 0.7
    assert not result.passed


def test_an_exact_tie_with_the_limit_fails() -> None:
    assert not RandomHeads(0.8, np.full(100, 0.8), 1, 1, 1, 1).passed
    assert RandomHeads(0.8, np.full(100, 0.79), 1, 1, 1, 1).passed


def test_the_area_under_the_curve_counts_ties_as_a_half() -> None:
    above, below = np.array([[1.0, 3.0], [2.0, 3.0]]), np.array([[1.0, 3.0], [0.0, 3.0]])
    assert auroc(above, below).tolist() == [(1 + 0.5 + 1 + 1) / 4, 0.5]


def test_only_passed_pictures_count_and_a_group_counts_once() -> None:
    labels = [Label("crack", "a"), Label("crack", "a"), Label("crack", "b"), Label(GOOD, "c"), Label(GOOD, "d")]
    scores = np.zeros((5, 101))
    scores[:, 0] = [0.0, 2.0, 9.0, 0.5, 1.5]
    result = compare_heads(scores, np.array([True, True, False, True, True]), labels)
    assert (result.missed_pictures, result.missed_groups) == (2, 1)
    assert (result.passed_pictures, result.passed_groups) == (2, 2)
    assert result.trained == 0.5  # a's mean of 1 lies between .5 and 1.5
    assert result.limit == 0.5


def test_each_direction_gives_the_agreement_that_a_head_of_that_direction_would() -> None:
    generator = torch.Generator().manual_seed(0)
    tap = torch.relu(torch.randn(4, 6, 9, 9, generator=generator))
    directions = torch.randn(70, 6, generator=generator)
    found = agreements_under(tap, directions, "agreement")
    for index in (0, 33, 69):
        cells = torch.einsum("bchw,c->bhw", tap, directions[index])
        np.testing.assert_allclose(found[:, index], agreement_difference(make_maps(cells, tap)).numpy(), atol=0.06)
    scaled = agreements_under(tap, directions * 8, "agreement")
    np.testing.assert_allclose(found, scaled)


def test_the_whole_check_runs_on_a_networks_false_negatives() -> None:
    network, samples = small_network(), _Samples(6, 3)

    def checked(batch: int) -> RandomHeads:
        rng = np.random.default_rng(0)
        margins, scores = head_scores(network, samples, small_card().picture, rng=rng, draws=100, batch=batch)
        return compare_heads(scores, margins <= 1e9, samples.labels)

    result = checked(batch=4)
    assert (result.missed_pictures, result.passed_pictures, result.heads.shape) == (3, 3, (100,))
    assert ((result.heads >= 0.5) & (result.heads <= 1)).all()
    np.testing.assert_allclose(checked(batch=1).heads, result.heads, atol=0.12)


def test_too_few_heads_or_a_side_without_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 100"):
        compare_heads(np.zeros((4, 100)), np.ones(4, bool), _labels(2, 2))
    with pytest.raises(ValueError, match="0 missed and 2 passed"):
        compare_heads(np.zeros((4, 101)), np.array([False, False, True, True]), _labels(2, 2))
