import pytest
import torch
from torch import Tensor

from linewarden_train.training.losses import LossWeights, balanced_cross_entropy, tversky_per_sample, two_task_loss
from linewarden_vision.network.interface import NetworkOutput


def _output(margin: Tensor, mask_logits: Tensor) -> NetworkOutput:
    batch = margin.shape[0]
    return NetworkOutput(margin, torch.zeros(batch, 2, 2), torch.zeros(batch, 1, 2, 2), mask_logits, {})


def test_tversky_charges_a_miss_more_than_a_false_alarm() -> None:
    target = torch.zeros(2, 10, 10)
    target[:, :4] = 1  # 40 pixels
    found = target.clone()
    found[0, :2] = 0  # 20 missed
    found[1, 4:6] = 1  # 20 too many
    missed, alarmed = tversky_per_sample(found, target, missed=0.7, false_alarm=0.3).tolist()
    assert missed == pytest.approx(1 - 21 / (20 + 14 + 1))
    assert alarmed == pytest.approx(1 - 41 / (40 + 6 + 1))


def test_a_large_defect_weighs_no_more_than_a_small_one() -> None:
    target = torch.zeros(2, 20, 20)
    target[0, :10] = 1
    target[1, :2, :5] = 1
    both = tversky_per_sample(torch.zeros_like(target), target, missed=0.7, false_alarm=0.3)
    assert both[0] == pytest.approx(float(both[1]), abs=0.15)


def test_an_unannotated_defect_counts_for_classification_and_not_for_the_mask() -> None:
    mask, defective = torch.zeros(2, 8, 8), torch.tensor([1.0, 0.0])
    margin = torch.tensor([0.0, 0.0], requires_grad=True)
    logits = torch.zeros(2, 8, 8, requires_grad=True)
    loss = two_task_loss(_output(margin, logits), defective, mask, torch.tensor([0.0, 1.0]), LossWeights(guide=0.0))
    by_margin, by_logits = torch.autograd.grad(loss.total, (margin, logits))
    assert float(by_margin[0]) < 0
    assert float(by_logits[0].abs().sum()) == 0
    assert float(by_logits[1].abs().sum()) > 0


def test_a_task_with_weight_zero_teaches_nothing() -> None:
    margin = torch.zeros(1, requires_grad=True)
    logits = torch.zeros(1, 4, 4, requires_grad=True)
    loss = two_task_loss(
        _output(margin, logits),
        torch.ones(1),
        torch.ones(1, 4, 4),
        torch.ones(1),
        LossWeights(mask=0.0, guide=0.0),
    )
    by_margin, by_logits = torch.autograd.grad(loss.total, (margin, logits))
    assert float(by_margin.abs().sum()) > 0
    assert float(by_logits.abs().sum()) == 0


def test_the_cross_entropy_of_a_sample_is_bounded_by_its_worst_pixel_whatever_the_area() -> None:
    logits = torch.full((3, 20, 20), -3.0)
    target = torch.zeros(3, 20, 20)
    target[0, :1, :4] = 1  # 1 %
    target[1, :10] = 1  # half
    small, half, none = balanced_cross_entropy(logits, target).tolist()
    wrong, right = 3.0486, 0.0486
    share = 0.01 * 99**0.5 / (0.01 * 99**0.5 + 0.99)
    assert small == pytest.approx(share * wrong + (1 - share) * right, rel=1e-3)
    assert half == pytest.approx((wrong + right) / 2, rel=1e-3)
    assert none == pytest.approx(right, rel=1e-3)
