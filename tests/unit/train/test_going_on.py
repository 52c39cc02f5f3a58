"""Training that was stopped, and training that stops by itself."""

from pathlib import Path

import pytest
import torch

from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.training.checkpoint import Checkpoint
from linewarden_train.training.drawing import DrawSettings, Normalisation
from linewarden_train.training.inputs import InputSettings, picture_spec
from linewarden_train.training.loop import TrainSettings, TrainStep, train
from linewarden_train.training.watch import EarlyStop, quality_of, watched_apart
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork

_NORMALISATION = Normalisation(110.0, 55.0)
_SETTINGS = TrainSettings(steps=4, draw=DrawSettings(whole=4, side=64, windows=4))


class _Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def samples() -> SyntheticSamples:
    return SyntheticSamples(range(16), defect_rate=0.6, difficulties=[0.0], views=1, size=96)


def _network() -> DefectNetwork:
    torch.manual_seed(0)
    return build_network("light", "mobilenetv3_small_050", 1)


def _train(
    samples: SyntheticSamples, checkpoint: Checkpoint | None, stop_after: int | None = None
) -> tuple[DefectNetwork, list[int]]:
    network, numbers = _network(), list[int]()

    def heard(step: TrainStep) -> None:
        if numbers and stop_after == len(numbers):
            raise _Stopped
        numbers.append(step.number)

    train(network, samples, _NORMALISATION, _SETTINGS, clock=lambda: 0.0, on_step=heard, checkpoint=checkpoint)
    return network, numbers


def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    samples: SyntheticSamples, tmp_path: Path
) -> None:
    whole, _ = _train(samples, None)
    checkpoint = Checkpoint(tmp_path / "work" / "run.checkpoint", "same", every_s=0.0)
    with pytest.raises(_Stopped):
        _train(samples, checkpoint, stop_after=2)
    rest, numbers = _train(samples, checkpoint)
    assert numbers == [3, 4]
    for one, other in zip(whole.state_dict().values(), rest.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_finished_run_is_not_trained_again(samples: SyntheticSamples, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.checkpoint", "same")
    first, _ = _train(samples, checkpoint)
    again, numbers = _train(samples, checkpoint)
    assert numbers == []
    assert torch.equal(first.head.direction, again.head.direction)


def test_another_runs_checkpoint_is_refused(samples: SyntheticSamples, tmp_path: Path) -> None:
    _train(samples, Checkpoint(tmp_path / "run.checkpoint", "same"))
    with pytest.raises(ValueError, match="other settings or data; delete it"):
        _train(samples, Checkpoint(tmp_path / "run.checkpoint", "another"))


def test_a_torn_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    path.write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"run\.checkpoint cannot be read"):
        Checkpoint(path, "same").load()


def test_training_ends_when_looking_brings_nothing_and_the_best_weights_come_back(samples: SyntheticSamples) -> None:
    qualities = iter([0.5, 0.9, 0.7, 0.6, 0.95])
    seen: list[torch.Tensor] = []

    def quality(network: DefectNetwork) -> float:
        assert not network.training
        seen.append(network.head.direction.detach().clone())
        return next(qualities)

    stop = EarlyStop(quality, every=1, patience=2)
    network = _network()
    settings = TrainSettings(steps=100, draw=DrawSettings(whole=4))
    taken = train(network, samples, _NORMALISATION, settings, clock=lambda: 0.0, early_stop=stop)
    assert taken == 4
    assert torch.equal(network.head.direction, seen[1])


def test_what_is_watched_is_not_trained_on(samples: SyntheticSamples) -> None:
    kept, watched = watched_apart(samples, seed=0)
    assert {label.group for label in kept.labels} & {label.group for label in watched.labels} == set()
    assert len(kept) + len(watched) == len(samples)
    assert 1 <= len(watched) < len(samples) / 3


def test_quality_is_a_number_between_0_and_1(samples: SyntheticSamples) -> None:

    network = _network().eval()
    assert 0 <= quality_of(network, samples, picture_spec(samples, InputSettings())) <= 1


def test_a_run_that_stopped_early_is_finished_when_it_is_taken_up_again(
    samples: SyntheticSamples, tmp_path: Path
) -> None:
    checkpoint = Checkpoint(tmp_path / "run.checkpoint", "same")
    settings = TrainSettings(steps=100, draw=DrawSettings(whole=4))

    def once() -> tuple[int, torch.Tensor]:
        network = _network()
        stop = EarlyStop(lambda _: 0.5, every=1, patience=1)
        taken = train(
            network, samples, _NORMALISATION, settings, clock=lambda: 0.0, checkpoint=checkpoint, early_stop=stop
        )
        return taken, network.head.direction.detach()

    (first, weights), (again, same) = once(), once()
    assert first == again == 2
    assert torch.equal(weights, same)
