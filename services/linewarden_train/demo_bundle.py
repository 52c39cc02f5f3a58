"""Teach the demo's bundle on synthetic parts: ``python -m linewarden_train.demo_bundle --out FOLDER``.

Five sets of parts that share no seed: teaching, trust calibration, thresholds, golden pictures and
one report. Whatever the report says is printed and written into the card.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress

from linewarden_train.calibration import (
    TrustRecipe,
    defect_threshold,
    fit_trust,
    suspicion_of,
    suspicion_threshold,
    worst_of_parts,
)
from linewarden_train.comparison import Comparison, PartScores, compare
from linewarden_train.data.digest import digest_of
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.golden import choose_golden
from linewarden_train.loop import Normalisation, Step, TrainSettings, train
from linewarden_train.masks import choose_mask_threshold
from linewarden_train.report import as_table, in_words
from linewarden_train.scoring import RawScores, Values, score_samples
from linewarden_vision.bundle import write_bundle
from linewarden_vision.card import (
    Card,
    MapScales,
    NetworkSpec,
    PictureSpec,
    Provenance,
    Threshold,
    Thresholds,
    TrustCard,
)
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.build import build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.synthetic.defects import DEFECT_CLASSES
from linewarden_vision.synthetic.demo import DEMO_DIFFICULTY, DEMO_SIZE, DEMO_VIEWS

_SET_STRIDE = 1_000_000  # seeds of two sets never meet


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Sizes of the sets in parts, and what is promised of the thresholds."""

    encoder: str = "mobilenetv3_small_050"
    teaching: int = 2400
    calibration: int = 800
    thresholds: int = 1200
    report: int = 1600
    steps: int = 1400
    overkill: float = 0.01
    diverted: float = 0.05
    seed: int = 0
    date: str = "1970-01-01"


@dataclass(frozen=True, slots=True)
class Built:
    """A finished bundle's parts and the one report on it."""

    card: Card
    weights: dict[str, torch.Tensor]
    golden: Golden
    comparison: Comparison


def build_demo(settings: DemoSettings, progress: Progress) -> Built:
    """Teach, calibrate, set thresholds, choose golden pictures and report, in this order."""
    torch.manual_seed(settings.seed)
    teaching = _parts(settings, 0, settings.teaching, 0.9, easier=True)
    spec = _picture_spec(teaching)
    network = _teach(teaching, spec, settings, progress)
    calibration = _parts(settings, 1, settings.calibration, 0.5)
    scores = _scored(network, spec, calibration, progress, "calibrating")
    trust = fit_trust(scores, TrustRecipe(), _source(settings, calibration, "calibration", "good against defective"))
    limits = _parts(settings, 2, settings.thresholds, 0.0)
    passed = _scored(network, spec, limits, progress, "thresholds")
    mask = _mask_threshold(network, calibration, spec, settings)
    thresholds = _thresholds(settings, limits, passed, trust, mask)
    card = _card(settings, spec, trust, thresholds, scores)
    golden = choose_golden(Inspector(card, network), _parts(settings, 3, 200, 0.5))
    reported = _scored(network, spec, _parts(settings, 4, settings.report, 0.5), progress, "reporting")
    comparison = _compare(card, reported)
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    card = card.model_copy(update={"notes": in_words(comparison)})
    return Built(card, weights, golden, comparison)


def _parts(
    settings: DemoSettings, order: int, count: int, defect_rate: float, *, easier: bool = False
) -> SyntheticSamples:
    start = (settings.seed * 10 + order + 1) * _SET_STRIDE
    difficulties = [0.0, DEMO_DIFFICULTY / 2, DEMO_DIFFICULTY] if easier else [DEMO_DIFFICULTY]
    return SyntheticSamples(
        range(start, start + count),
        defect_rate=defect_rate,
        difficulties=difficulties,
        views=DEMO_VIEWS,
        size=DEMO_SIZE,
    )


def _picture_spec(samples: SyntheticSamples) -> PictureSpec:
    """Normalise by the teaching set; exposure limits lie half as far again outside what it holds."""
    pictures = [samples[index].picture for index in range(len(samples))]
    means = np.asarray([picture.mean() for picture in pictures])
    deviations = np.asarray([picture.std() for picture in pictures])
    return PictureSpec(
        height=DEMO_SIZE,
        width=DEMO_SIZE,
        channels=1,
        mean=round(float(means.mean()), 2),
        std=round(float(deviations.mean()), 2),
        brightness=(round(float(means.min()) * 0.6, 1), round(min(250.0, float(means.max()) * 1.4), 1)),
        contrast=(round(float(deviations.min()) * 0.5, 1), round(float(deviations.max()) * 1.5, 1)),
    )


def _teach(samples: SyntheticSamples, spec: PictureSpec, settings: DemoSettings, progress: Progress) -> DefectNetwork:
    network = build_network("light", settings.encoder, 1)
    network.to(memory_format=torch.channels_last)
    task = progress.add_task("teaching", total=settings.steps)

    def show(step: Step) -> None:
        losses = step.losses
        text = f"teaching (class {float(losses.classification):.2f}, mask {float(losses.mask):.2f})"
        progress.update(task, completed=step.number, description=text)

    train(
        network,
        samples,
        Normalisation(spec.mean, spec.std),
        TrainSettings(steps=settings.steps, seed=settings.seed),
        clock=time.monotonic,
        on_step=show,
    )
    return network


def _scored(
    network: DefectNetwork, spec: PictureSpec, samples: SyntheticSamples, progress: Progress, text: str
) -> RawScores:
    task = progress.add_task(text, total=len(samples))
    return score_samples(
        network,
        samples,
        spec,
        epsilon=TrustRecipe().epsilon,
        on_batch=lambda count: progress.advance(task, count),
    )


def _source(settings: DemoSettings, samples: SyntheticSamples, name: str, point: str) -> Provenance:
    return Provenance(
        set_digest=digest_of(samples),
        set_name=f"synthetic/{name}",
        n=len(samples) // samples.views,
        curve_point=point,
        date=settings.date,
    )


def _mask_threshold(
    network: DefectNetwork, samples: SyntheticSamples, spec: PictureSpec, settings: DemoSettings
) -> Threshold:
    value, overlap, count = choose_mask_threshold(network, samples, spec)
    source = _source(settings, samples, "calibration", f"best mean IoU {overlap:.3f} of {count} defective pictures")
    return Threshold(value=value, provenance=source)


def _thresholds(
    settings: DemoSettings, samples: SyntheticSamples, scores: RawScores, trust: TrustCard, mask: Threshold
) -> Thresholds:
    """Set both limits on good parts alone; suspicion on those that the first one passes."""
    every = np.ones(len(scores.labels), bool)
    margins = worst_of_parts(scores.margin, scores.groups, every)
    reject = defect_threshold(margins, settings.overkill)
    suspicion = worst_of_parts(suspicion_of(scores, trust.build()), scores.groups, every)
    divert = suspicion_threshold(suspicion[margins <= reject], settings.diverted)
    overkill = _source(settings, samples, "thresholds", f"overkill_rate_of_good {settings.overkill:.1%}")
    diverted = _source(settings, samples, "thresholds", f"diversion_rate_of_passes {settings.diverted:.1%} of good")
    return Thresholds(
        defect=Threshold(value=reject, provenance=overkill),
        suspicion=Threshold(value=divert, provenance=diverted),
        mask=mask,
    )


def _card(
    settings: DemoSettings, spec: PictureSpec, trust: TrustCard, thresholds: Thresholds, scores: RawScores
) -> Card:
    return Card(
        name="demo-synthetic-parts",
        stage="taught",
        created=settings.date,
        code_version=version("linewarden"),
        network=NetworkSpec(name="light", encoder=settings.encoder, tap_channels=64),
        picture=spec,
        class_names=list(DEFECT_CLASSES),
        thresholds=thresholds,
        trust=trust,
        map_scales=MapScales(
            class_specific=_full_scale(scores.defect_map_peak[scores.defective]),
            class_agnostic=_full_scale(scores.agnostic_map_peak[scores.defective]),
        ),
        notes=[],
    )


def _full_scale(peaks: Values) -> float:
    """Let one defective picture in ten saturate; a map that is blank throughout still has a scale."""
    return max(float(np.quantile(peaks, 0.9)), 1e-3)


def _compare(card: Card, scores: RawScores) -> Comparison:
    every = np.ones(len(scores.labels), bool)

    def worst(values: Values) -> Values:
        return worst_of_parts(values, scores.groups, every)

    named = {"trust": worst(suspicion_of(scores, card.trust.build()))}
    for name in ("margin", "mask_evidence", "agreement", "agreement_enhanced"):
        named[name] = worst(scores.ingredients[name])
    parts = PartScores(worst(scores.margin), named, worst(scores.defective.astype(float)) > 0)
    limits = card.thresholds
    return compare(parts, "trust", reject_above=limits.defect.value, divert_from=limits.suspicion.value)


def main(
    out: Annotated[Path, typer.Option(help="Folder of the bundle; made if absent.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed teaches on other parts.")] = 0,
    date: Annotated[str, typer.Option(help="Day written into the card, YYYY-MM-DD; today by default.")] = "",
    steps: Annotated[int, typer.Option(min=20, help="Teaching steps of 16 pictures.")] = 1400,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 2,
) -> None:
    """Teach the demo's bundle on synthetic parts and print what it can and cannot do."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    console = Console()
    settings = DemoSettings(seed=seed, steps=steps, date=date or datetime.now(UTC).date().isoformat())
    with Progress(console=console) as progress:
        built = build_demo(settings, progress)
    digest = write_bundle(out, built.card, built.weights, built.golden)
    Inspector.load(out, expected_digest=digest)
    console.print(as_table(built.comparison))
    console.print(f"bundle {digest} in {out}")


if __name__ == "__main__":
    typer.run(main)
