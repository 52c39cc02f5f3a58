"""Batched tensors against loops in numpy, on random maps with many ties and blanks."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from linewarden_vision.trust.agreement import (
    agreement_difference,
    iou,
    normal_disagreement,
    soft_agreement_difference,
    soft_iou,
    top_set,
)
from linewarden_vision.trust.evidence import mask_evidence
from linewarden_vision.trust.maps import ActivationMaps, class_agnostic, make_maps

Plane = NDArray[np.float32]


def _slow_top(values: Plane, share: float = 0.1) -> set[int]:
    flat = values.ravel().tolist()
    k = max(1, math.ceil(share * len(flat)))
    kth = sorted(flat, reverse=True)[k - 1]
    return {index for index, value in enumerate(flat) if value > 0 and value >= kth}


def _slow_iou(first: set[int], second: set[int]) -> float:
    return len(first & second) / len(first | second) if first and second else 0.0


def _tied_maps(seed: int) -> Plane:
    rng = np.random.default_rng(seed)
    maps = rng.integers(-3, 4, (6, 7, 5)).astype(np.float32)
    maps[0] = 0
    maps[1] = -1
    maps[2] = 1
    return np.maximum(maps, 0)


@pytest.mark.parametrize("seed", range(8))
def test_the_difference_equals_the_slow_definition_with_ties_and_blank_maps(seed: int) -> None:
    defect, normal, agnostic = (_tied_maps(3 * seed + k) for k in range(3))
    defect, normal = np.roll(defect, 1, 0), np.roll(normal, 2, 0)
    maps = ActivationMaps(*(torch.from_numpy(part) for part in (defect, normal, agnostic)))
    expected = [
        _slow_iou(_slow_top(d), _slow_top(a)) - _slow_iou(_slow_top(n), _slow_top(a))
        for d, n, a in zip(defect, normal, agnostic, strict=True)
    ]
    np.testing.assert_allclose(agreement_difference(maps).numpy(), expected, atol=1e-6)
    disagreement = [1 - _slow_iou(_slow_top(n), _slow_top(a)) for n, a in zip(normal, agnostic, strict=True)]
    np.testing.assert_allclose(normal_disagreement(maps).numpy(), disagreement, atol=1e-6)


def test_ties_at_the_edge_of_the_top_are_all_kept() -> None:
    values = torch.tensor([[[5.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]])
    assert int(top_set(values, 0.1).sum()) == 4  # k = 2, three tie for the second place


def test_a_blank_map_has_an_empty_top_and_an_iou_of_zero() -> None:
    blank, full = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
    assert int(top_set(blank).sum()) == 0
    assert float(iou(top_set(blank), top_set(full))) == 0.0
    assert float(iou(top_set(blank), top_set(blank))) == 0.0
    assert float(soft_iou(blank, blank)) == 0.0


def test_soft_iou_is_the_sum_of_minima_over_the_sum_of_maxima() -> None:
    first, second = torch.tensor([[[1.0, 2.0], [0.0, 4.0]]]), torch.tensor([[[2.0, 1.0], [0.0, 3.0]]])
    assert float(soft_iou(first, second)) == pytest.approx((1 + 1 + 0 + 3) / (2 + 2 + 0 + 4))


def test_the_soft_difference_ignores_the_scale_of_the_class_maps() -> None:
    rng = np.random.default_rng(0)
    defect, normal, agnostic = (torch.from_numpy(rng.random((4, 5, 5), np.float32)) for _ in range(3))
    one = soft_agreement_difference(ActivationMaps(defect, normal, agnostic))
    other = soft_agreement_difference(ActivationMaps(10 * defect, normal / 3, agnostic))
    torch.testing.assert_close(one, other)


def test_maps_are_the_two_signs_of_the_linear_map_and_the_energy_of_the_tap() -> None:
    rng = np.random.default_rng(1)
    tap = torch.from_numpy(rng.standard_normal((2, 3, 4, 4)).astype(np.float32))
    cells = tap[:, 0] - 2 * tap[:, 1]
    maps = make_maps(cells, tap)
    torch.testing.assert_close(maps.defect - maps.normal, cells)
    assert bool((maps.defect * maps.normal == 0).all())
    np.testing.assert_allclose(maps.agnostic.numpy(), (tap.numpy() ** 2).sum(1), rtol=1e-5)


def test_the_eigen_variant_equals_a_singular_value_decomposition() -> None:
    rng = np.random.default_rng(2)
    base = np.abs(rng.standard_normal((1, 6, 1, 1))) * np.abs(rng.standard_normal((1, 1, 5, 5)))
    tap = (base + 0.05 * rng.standard_normal((1, 6, 5, 5))).astype(np.float32)
    left = np.linalg.svd(tap[0].reshape(6, -1))[0][:, 0]
    expected = np.abs(left @ tap[0].reshape(6, -1)).reshape(5, 5)
    found = class_agnostic(torch.from_numpy(tap), "eigen")[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_mask_evidence_is_the_mean_of_the_strongest_share() -> None:
    logits = torch.arange(400.0).reshape(1, 20, 20)
    assert float(mask_evidence(logits)) == pytest.approx((399 + 398 + 397) / 3)  # ceil(.0073 * 400) = 3
