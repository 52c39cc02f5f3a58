import itertools

import numpy as np
import pytest
import torch

from linewarden_train.data.samples import digest_of
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.training.drawing import DrawSettings, Normalisation
from linewarden_train.training.loop import TrainSettings, schedule, train
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork

_NORMALISATION = Normalisation(110.0, 55.0)


@pytest.fixture(scope="module")
def samples() -> SyntheticSamples:
    return SyntheticSamples(range(12), defect_rate=0.8, difficulties=[0.0], views=2, size=96)


def _taught(samples: SyntheticSamples, settings: TrainSettings) -> tuple[DefectNetwork, list[float]]:
    torch.manual_seed(0)
    network = build_network("light", "mobilenetv3_small_050", 1)
    losses: list[float] = []
    ticks = itertools.count()
    train(
        network,
        samples,
        _NORMALISATION,
        settings,
        clock=lambda: float(next(ticks)),
        on_step=lambda step: losses.append(float(step.losses.total.detach())),
    )
    return network, losses


def test_the_same_seed_teaches_the_same_weights(samples: SyntheticSamples) -> None:
    settings = TrainSettings(steps=3, draw=DrawSettings(whole=4, side=64, windows=8))
    first, second = _taught(samples, settings)[0], _taught(samples, settings)[0]
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert not first.training


def test_teaching_lowers_the_loss(samples: SyntheticSamples) -> None:
    losses = _taught(samples, TrainSettings(steps=24, draw=DrawSettings(whole=6)))[1]
    assert np.mean(losses[-6:]) < np.mean(losses[:6])


def test_a_time_budget_ends_teaching_early(samples: SyntheticSamples) -> None:
    assert len(_taught(samples, TrainSettings(steps=1000, draw=DrawSettings(whole=4), budget_s=3.0))[1]) == 2


def test_the_learning_rate_warms_up_and_ends_small() -> None:
    assert schedule(0.0) == pytest.approx(0.1)
    assert schedule(0.05) == pytest.approx(1.0)
    assert schedule(1.0) == pytest.approx(0.01)


def test_a_data_sets_digest_names_its_content() -> None:
    def digest(seed: int) -> str:
        return digest_of(SyntheticSamples([seed], defect_rate=1.0, difficulties=[0.2], views=1, size=96))

    assert digest(1) == digest(1) != digest(2)
