"""What trust costs beside a plain pass: the same pictures, turn by turn in one process.

    python -m benchmarks.trust_cost [--rounds 5] [--pictures 32] [--threads 1] [--batches 1 16]
                                    [--clock wall|cpu]

plain: one pass with its mask. closed form: the maps and their agreement on top. step on all: also the
enhancement in feature space for every picture. cascade: the enhancement for the doubtful share alone, as
the inspector does. turned cascade: that share is turned by half and passed once more
instead. input space: the enhancement through the whole network. library: the same three maps
by pytorch-grad-cam, without any enhancement. Within each batch all take their turn, the order rotates;
a round's ratio is its time over the plain pass's in that round. Prints median, smallest and largest ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pytorch_grad_cam import FEM, GradCAM
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.machine import machine
from linewarden_train.training.calibration import TrustRecipe
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.synthetic.part import make_part
from linewarden_vision.trust.cascade import SecondLook, TrustModel, assess
from linewarden_vision.trust.enhancement import REFERENCE, Enhancement, Response, Source
from linewarden_vision.trust.ingredients import cheap_ingredients, second_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.suspicion import Logistic, Normaliser, sum_of_rarities

AIMS: Mapping[str, float] = {"closed form": 1.05, "step on all": 1.5, "cascade": 1.15, "turned cascade": 1.15}
CHEAP = ("agreement", "mask_evidence")
LATER: tuple[str, ...] = ("agreement_enhanced",)
TURNED: tuple[str, ...] = ("margin_turned",)
SHARE = TrustRecipe().second_look_share
_GREY_LEVEL = 1 / 50
_DEMO = Path(__file__).parents[1] / "services" / "linewarden" / "assets" / "demo-bundle"

Way = Callable[[Tensor], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A network in eval mode and the pictures (N, 1, S, S) that it is shown."""

    name: str
    network: DefectNetwork
    pictures: Tensor


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=40, help="at least 20")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu where others use the machine too")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    print(f"{machine()}, torch {torch.__version__}, {arguments.threads} threads, {arguments.clock} time")
    missed = 0
    for case in (_light(arguments.pictures), _demo(arguments.pictures)):
        for batch in arguments.batches:
            missed += _print(case, batch, _measure(case, batch, arguments.rounds, clock))
    return int(missed > 0)


def _light(count: int) -> Case:
    torch.manual_seed(0)
    return Case(
        "light, efficientnet_lite0, 224", _ready(build_network("light", "efficientnet_lite0", 1)), _parts(count, 224)
    )


def _demo(count: int) -> Case:
    card = json.loads((_DEMO / "card.json").read_bytes())
    spec = card["network"]
    network = build_network(spec["name"], spec["encoder"], 1, tap_channels=spec["tap_channels"])
    network.load_state_dict(load_file(_DEMO / "weights.safetensors"))
    return Case(f"demo, {spec['encoder']}, 160", _ready(network), _parts(count, 160))


def _ready(network: DefectNetwork) -> DefectNetwork:
    network.eval()
    network.requires_grad_(requires_grad=False)
    return network.to(memory_format=torch.channels_last)


def _parts(count: int, size: int) -> Tensor:
    shown = [
        make_part(seed, views=1, size=size, defect_rate=0.5, difficulty=0.2).views[0].picture for seed in range(count)
    ]
    normalised = (torch.from_numpy(np.stack(shown))[:, None].float() - 110) * _GREY_LEVEL
    return normalised.contiguous(memory_format=torch.channels_last)


def _ways(case: Case) -> dict[str, Way]:
    network = case.network

    def closed_form(pictures: Tensor) -> object:
        with torch.inference_mode():
            output = network(pictures)
            return cheap_ingredients(output, make_maps(output.cells, output.tap), CHEAP)

    def stepped(pictures: Tensor, settings: Enhancement) -> object:
        with torch.inference_mode():
            output = network(pictures)
            cheap_ingredients(output, make_maps(output.cells, output.tap), CHEAP)
            before = Response.of(output)
            source = Source(pictures, output.pyramid, _GREY_LEVEL)
            return second_ingredients(network, source, before, LATER, settings)

    def cascade(model: TrustModel) -> Way:
        def run(pictures: Tensor) -> object:
            with torch.inference_mode():
                return assess(network, pictures, model, reject_above=np.inf)

        return run

    return {
        "plain": torch.inference_mode()(network),
        "closed form": closed_form,
        "step on all": lambda pictures: stepped(pictures, REFERENCE),
        "cascade": cascade(_cascade(case, LATER)),
        "turned cascade": cascade(_cascade(case, TURNED)),
        "input space": lambda pictures: stepped(pictures, Enhancement("input", epsilon=1.0)),
        "library": _library(network),
    }


def _cascade(case: Case, later: Sequence[str]) -> TrustModel:
    """Freeze a gate that lets SHARE of these pictures through to a second look at ``later``."""
    with torch.inference_mode():
        output = case.network(case.pictures)
        cheap = cheap_ingredients(output, make_maps(output.cells, output.tap), CHEAP).double().numpy()
    scales = [Normaliser.fit(column) for column in cheap.T]
    first = sum_of_rarities(len(CHEAP))
    suspicion = first(np.stack([scale(column) for scale, column in zip(scales, cheap.T, strict=True)], axis=1))
    gate = float(np.quantile(suspicion, 1 - SHARE))
    second = SecondLook(later, scales[:1], Logistic(0.0, (1.0, 1.0, 1.0)), REFERENCE, gate)
    return TrustModel(CHEAP, scales, first, second)


class _Logits(nn.Module):
    """What the library expects: pictures in, two logits out."""

    def __init__(self, network: DefectNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits (B, 2) whose difference is the margin."""
        half = self.network(pictures).margin / 2
        return torch.stack([-half, half], dim=1)


def _library(network: DefectNetwork) -> Way:
    wrapped = _Logits(network)
    tap = [network.fusion.smooth]
    cams = [(GradCAM(wrapped, tap), 1), (GradCAM(wrapped, tap), 0), (FEM(wrapped, tap), 1)]

    def run(pictures: Tensor) -> object:
        shown = pictures.clone().requires_grad_()  # the frozen network has no other gradient to follow
        return [cam(shown, [lambda logits, k=k: logits[k] - logits[1 - k]] * len(pictures)) for cam, k in cams]

    return run


def _measure(case: Case, batch: int, rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    ways = _ways(case)
    names = list(ways)
    for way in ways.values():  # the first call of each allocates and compiles
        way(case.pictures[:batch])
    seconds: dict[str, list[float]] = {name: [0.0] * rounds for name in names}
    for number in range(rounds):
        for turn, pictures in enumerate(torch.split(case.pictures, batch)):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                began = clock()
                ways[name](pictures)
                seconds[name][number] += clock() - began
    return seconds


def _print(case: Case, batch: int, seconds: Mapping[str, Sequence[float]]) -> int:
    plain = seconds["plain"]
    rate = len(case.pictures) / statistics.median(plain)
    print(f"{case.name}, batch {batch}: plain {rate:.1f} pictures/s")
    missed = 0
    for name, times in seconds.items():
        if name == "plain":
            continue
        ratios = [time_ / base for time_, base in zip(times, plain, strict=True)]
        median = statistics.median(ratios)
        late = median > AIMS.get(name, np.inf)
        missed += late
        aim = f"aim {AIMS[name]}{', missed' if late else ''}" if name in AIMS else ""
        print(f"  {name:14s} {median:5.2f} x plain ({min(ratios):.2f} to {max(ratios):.2f})  {aim}", flush=True)
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
