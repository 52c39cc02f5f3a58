import shutil
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from linewarden_vision.graphs import (
    CompiledForward,
    Fallbacks,
    Forward,
    GraphedForward,
    Replay,
    batch_sizes,
    choose_modes,
    cut,
)
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.interface import NetworkOutput
from tests.unit.vision.helpers import SIZE, golden_of, pictures, small_card, small_network

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Recorder:
    """Stands for CUDA: a replay computes on whatever the buffer holds, and owns its results."""

    def __init__(self, fails_at: int = 0) -> None:
        self.captured: list[int] = []
        self.replayed: list[int] = []
        self._fails_at = fails_at

    def __call__(self, network: Forward, buffer: Tensor) -> Replay:
        if buffer.shape[0] == self._fails_at:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.captured.append(buffer.shape[0])

        def replay() -> NetworkOutput:
            self.replayed.append(buffer.shape[0])
            return network(buffer)

        return replay


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def batch(count: int, size: int = SIZE) -> Tensor:
    return torch.from_numpy(np.random.default_rng(count).normal(size=(count, 1, size, size)).astype(np.float32))


def graphed(recorder: Recorder, sizes: tuple[int, ...] = (1, 2, 4)) -> tuple[GraphedForward, Fallbacks]:
    fallbacks = Fallbacks()
    return GraphedForward(small_network(), (1, SIZE, SIZE), sizes, fallbacks, recorder), fallbacks


def test_batch_sizes_are_powers_of_two_up_to_the_bound() -> None:
    assert batch_sizes(1) == (1,)
    assert batch_sizes(16) == (1, 2, 4, 8, 16)
    assert batch_sizes(20) == (1, 2, 4, 8, 16, 20)


@pytest.mark.parametrize(("count", "taken"), [(1, 1), (2, 2), (3, 4), (4, 4)])
def test_a_batch_runs_at_the_next_captured_size_and_its_results_are_cut_back(count: int, taken: int) -> None:
    recorder = Recorder()
    forward, fallbacks = graphed(recorder)
    output = forward(batch(count))
    plain = small_network()(batch(count))
    assert recorder.replayed == [taken]
    assert output.margin.shape == (count,)
    assert output.pyramid.keys() == plain.pyramid.keys()
    torch.testing.assert_close(output.mask_logits, plain.mask_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(output.pyramid[16], plain.pyramid[16], atol=1e-4, rtol=1e-4)
    assert not fallbacks.counts


def test_a_size_is_captured_once_and_what_an_earlier_batch_left_behind_is_never_returned() -> None:
    recorder = Recorder()
    forward, _ = graphed(recorder, (4,))
    forward(batch(4))
    second = forward(batch(2))
    assert recorder.captured == [4]
    torch.testing.assert_close(second.margin, small_network()(batch(2)).margin, atol=1e-4, rtol=1e-4)


def test_a_failed_capture_falls_back_to_eager_for_that_size_alone_and_is_counted() -> None:
    recorder = Recorder(fails_at=2)
    forward, fallbacks = graphed(recorder)
    for count in (2, 2, 4):
        torch.testing.assert_close(forward(batch(count)).margin, small_network()(batch(count)).margin)
    assert recorder.captured == [4]
    assert fallbacks.counts == {"capture": 2}


def test_a_shape_or_a_batch_that_was_never_captured_runs_eager_and_is_counted() -> None:
    forward, fallbacks = graphed(Recorder())
    assert forward(batch(2, SIZE + 32)).margin.shape == (2,)
    assert forward(batch(5)).margin.shape == (5,)
    assert fallbacks.counts == {"shape": 2}


def test_cutting_keeps_every_part_of_the_output() -> None:
    whole = small_network()(batch(3))
    part = cut(whole, 2)
    assert part.tap.shape == (2, *whole.tap.shape[1:])
    assert all(level.shape[0] == 2 for level in part.pyramid.values())


def test_the_gate_goes_through_every_captured_size() -> None:
    recorder = Recorder()
    card, network = small_card(), small_network()
    inspector = Inspector(card, network, max_batch=4)
    golden = golden_of(card, network)
    forward, _ = graphed(recorder)
    inspector._forward = forward
    report = inspector.pass_gate(golden)
    assert set(recorder.replayed) == {1, 2, 4}
    assert report.margin_deviation < 1e-3


def test_scores_by_graphs_are_scores_by_eager() -> None:
    card, network = small_card(), small_network()
    eager, inspector = Inspector(card, network), Inspector(card, network)
    inspector._forward, _ = graphed(Recorder())
    for one, other in zip(
        *(by.score([by.prepare(shown) for shown in pictures(3)]) for by in (eager, inspector)), strict=True
    ):
        assert one.margin == pytest.approx(other.margin, abs=1e-4)
        assert one.suspicion == pytest.approx(other.suspicion, abs=1e-3)


def test_ways_are_tried_from_fast_to_plain() -> None:
    assert choose_modes("auto", CUDA) == ["graphs", "eager"]
    assert choose_modes("auto", CPU) == ["eager"]
    assert choose_modes("compiled", CPU) == ["compiled"]
    with pytest.raises(ValueError, match="need a CUDA device"):
        choose_modes("graphs", CPU)
    with pytest.raises(ValueError, match="not one of auto"):
        choose_modes("fast", CPU)


def test_a_compiler_that_fails_is_asked_once() -> None:
    asked = []

    def broken(shown: Tensor) -> NetworkOutput:
        asked.append(len(shown))
        raise RuntimeError("no C++ compiler")

    fallbacks = Fallbacks()
    forward = CompiledForward(small_network(), broken, fallbacks)
    for _ in range(3):
        torch.testing.assert_close(forward(batch(2)).margin, small_network()(batch(2)).margin)
    assert asked == [2]
    assert fallbacks.counts == {"compile": 3}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_pass_goes_through_the_gate_on_the_processor() -> None:
    with torch.inference_mode(mode=False):
        card, network = small_card(), small_network()
        golden = golden_of(card, network)
        inspector = Inspector(card, network, forward="compiled")
        assert inspector.pass_gate(golden).margin_deviation < 1e-2
        assert inspector.eager_passes == {}


@pytest.mark.gpu
def test_cuda_graphs_repeat_the_eager_pass_at_every_size() -> None:
    card, network = small_card(), small_network().to("cuda")
    eager = Inspector(card, network, device="cuda")
    replayed = Inspector(card, network, device="cuda", forward="graphs", max_batch=8)
    for count in (1, 3, 8, 2, 8):
        shown = [eager.prepare(picture) for picture in pictures(count)]
        for one, other in zip(eager.score(shown), replayed.score(shown), strict=True):
            assert one.margin == pytest.approx(other.margin, abs=1e-3)
            assert (one.mask == other.mask).mean() > 0.999
    assert replayed.eager_passes == {}
