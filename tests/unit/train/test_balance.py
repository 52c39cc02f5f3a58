from typing import get_args

import pytest
import torch

from linewarden_train.training.balance import BalanceName, GradNormBalance, UncertaintyBalance, make_balance
from linewarden_train.training.losses import TaskLosses
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork


@pytest.fixture(scope="module")
def network() -> DefectNetwork:
    torch.manual_seed(0)
    return build_network("light", "mobilenetv3_small_050", 1)


def _losses(network: DefectNetwork, scale: float) -> TaskLosses:
    tap = network.fuse(network.encode(torch.ones(2, 1, 64, 64)))
    return TaskLosses(tap.mean(), scale * tap.square().mean(), tap.sum() * 0)


@pytest.mark.parametrize("name", get_args(BalanceName))
def test_every_balance_gives_a_loss_that_teaches_the_shared_layer(name: BalanceName, network: DefectNetwork) -> None:
    total = make_balance(name, network).total(_losses(network, 1.0))
    (slope,) = torch.autograd.grad(total, next(network.fusion.smooth.parameters()))
    assert total.ndim == 0
    assert float(slope.abs().sum()) > 0


def test_gradnorm_turns_down_the_task_with_the_larger_gradient(network: DefectNetwork) -> None:
    balance = GradNormBalance(network)
    for _ in range(20):
        balance.total(_losses(network, 1000.0))
    assert balance.weights[1] < 0.8 < balance.weights[0]
    assert balance.weights[0] + balance.weights[1] == pytest.approx(2.0)


def test_a_task_that_is_switched_off_keeps_its_weight(network: DefectNetwork) -> None:
    balance = GradNormBalance(network)
    balance.total(_losses(network, 5.0))
    assert balance.weights[2] == 1.0


def test_uncertainty_learns_to_weigh_the_larger_loss_less() -> None:
    balance = UncertaintyBalance(torch.device("cpu"))
    parameters = list(balance.parameters())
    optimiser = torch.optim.SGD(parameters, lr=0.1)
    losses = TaskLosses(torch.tensor(10.0), torch.tensor(0.1), torch.tensor(0.0))
    for _ in range(200):
        optimiser.zero_grad()
        torch.autograd.backward(balance.total(losses))
        optimiser.step()
    weights = torch.exp(-parameters[0].detach())
    assert float(weights[0]) == pytest.approx(1 / 10, rel=0.05)  # where exp(-s) L + s is smallest
    assert float(weights[1]) == pytest.approx(1 / 0.1, rel=0.05)
    assert float(weights[2]) == 1.0
