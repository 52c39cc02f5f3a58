"""Teach the demo's bundle on synthetic parts: ``python -m linewarden_train.demo_bundle --out FOLDER``.

Six sets of parts that share no seed: teaching, trust calibration, thresholds, golden pictures, one report and
qualification. Whatever the report says is printed and written into the card. It is qualified for the demo's own line,
synthetic parts of its difficulty, and for nothing else: the record's set says so. That line never changes, so the
qualification lasts ten years.
"""

import hashlib
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

from linewarden_domain.resampling import Values
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.evaluation.comparison import TrustComparison, compare
from linewarden_train.progress import OnProgress, bars
from linewarden_train.qualification.plan import Request
from linewarden_train.qualification.run import qualify_bundle
from linewarden_train.training.bundle import teach
from linewarden_train.training.calibration import TrustRecipe, suspicion_of, worst_of_parts
from linewarden_train.training.drawing import DrawSettings
from linewarden_train.training.loop import TrainSettings
from linewarden_train.training.network import score
from linewarden_train.training.scoring import RawScores
from linewarden_train.training.terms import NamedSamples, Surroundings, Taught, TeachingSets, TeachSettings
from linewarden_vision.bundle import content_of, read_bundle, write_bundle
from linewarden_vision.card import Card
from linewarden_vision.inspector import Inspector
from linewarden_vision.promotions import PromotionEvidence, climb, to_files
from linewarden_vision.synthetic.demo import DEMO_DIFFICULTY, DEMO_SIZE, DEMO_VIEWS

DEMO_PASS_RATE = 0.15
"""The bound that the demo's bundle is qualified for: the share of its line's defects that may pass with trust."""
TRUST = TrustRecipe(second=("margin_turned",))
"""Fixed on other parts: the recipe that won out of fold on the magnetic tiles, and again on 3,000 synthetic parts."""


@dataclass(frozen=True, slots=True)
class SetSizes:
    """How many parts each of the six sets has."""

    teaching: int = 2400
    calibration: int = 600
    thresholds: int = 1000
    golden: int = 200
    report: int = 1200
    qualification: int = 2400


def build_demo(
    settings: TeachSettings, sizes: SetSizes, *, seed: int, on_progress: OnProgress
) -> tuple[Taught, TrustComparison]:
    """Teach on parts of that seed and report once on parts that nothing else has seen."""
    sets = TeachingSets(
        teaching=synthetic_set("teaching", seed, 0, sizes.teaching, 0.9),
        calibration=synthetic_set("calibration", seed, 1, sizes.calibration, 0.5),
        thresholds=synthetic_set("thresholds", seed, 2, sizes.thresholds, 0.0),
        golden=synthetic_set("golden", seed, 3, sizes.golden, 0.5),
    )
    taught = teach(sets, settings, Surroundings(time.monotonic, on_progress))
    report = synthetic_set("report", seed, 4, sizes.report, 0.5)
    scores = score(taught.network, taught.card.picture, report.samples, settings, on_progress, "reporting")
    return taught, _compare(taught.card, scores)


def synthetic_set(name: str, seed: int, order: int, count: int, defect_rate: float) -> NamedSamples:
    """Parts whose seeds no other ``seed`` or ``order`` has; those called teaching are partly easier."""
    start = (seed * 10 + order + 1) * 1_000_000  # seeds of two sets never meet
    # plain defects first make the hard ones learnable
    easier = [0.0, DEMO_DIFFICULTY / 2] if name == "teaching" else []
    samples = SyntheticSamples(
        range(start, start + count),
        defect_rate=defect_rate,
        difficulties=[*easier, DEMO_DIFFICULTY],
        views=DEMO_VIEWS,
        size=DEMO_SIZE,
    )
    return NamedSamples(f"synthetic/{name}", samples)


def _compare(card: Card, scores: RawScores) -> TrustComparison:
    every = np.ones(len(scores.labels), bool)

    def worst(values: Values) -> Values:
        return worst_of_parts(values, scores.groups, every)

    named = {"trust": worst(suspicion_of(scores, card.trust.build()))}
    rivals = ("margin", "mask_evidence", "agreement", "agreement_enhanced")
    named |= {name: worst(scores.ingredients[name]) for name in rivals}
    limits, defective = card.thresholds, worst(scores.defective.astype(float)) > 0
    return compare(named, defective, "trust", reject_above=limits.defect.value, divert_from=limits.suspicion.value)


def release(folder: Path, seed: int, date: str, on_progress: OnProgress) -> str:
    """Qualify the bundle in a folder for the demo's line, promote it on that record to released, and write it again.

    Nobody but the program looked at it, and the promotions say so. Its digest.
    """
    bundle = read_bundle(folder)
    inspector = Inspector.from_bundle(bundle, "cpu")
    named = synthetic_set("the demo's own line", seed, 5, SetSizes().qualification, 0.5)
    request = Request(
        max_pass_rate=DEMO_PASS_RATE, confidence=0.95, seed=seed, date=date, set_name=named.name, valid_days=3650
    )
    total = len({label.group for label in named.samples.labels if label.defective})
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        on_progress("qualifying", done, total)

    found = qualify_bundle(bundle, inspector, named.samples, request, on_scored=count)
    record = found.record.to_files()
    evidence = PromotionEvidence(
        kind="qualification", sha256=hashlib.sha256(next(iter(record.values()))).hexdigest(), n=found.record.n
    )
    content = content_of(found.card, bundle.weights, found.extra)
    ladder = to_files(climb(content, "released", who="make bundle", date=date, evidence=evidence))
    return write_bundle(folder, found.card, bundle.weights, found.golden, {**found.extra, **ladder})


def main(
    out: Annotated[Path, typer.Option(help="Folder of the bundle; made if absent.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed teaches on other parts.")] = 0,
    date: Annotated[str, typer.Option(help="Day written into the card, YYYY-MM-DD; today by default.")] = "",
    steps: Annotated[int, typer.Option(min=20, help="Teaching steps.")] = 1200,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads; another number gives other last bits.")] = 1,
) -> None:
    """Teach the demo's bundle on synthetic parts and print what it can and cannot do."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    settings = TeachSettings(
        name="demo-synthetic-parts",
        date=date or datetime.now(UTC).date().isoformat(),
        code_version=version("linewarden"),
        encoder="mobilenetv3_small_050",
        train=TrainSettings(steps=steps, draw=DrawSettings(side=96), seed=seed),
        trust=TRUST,
    )
    console = Console()
    with bars() as show:
        taught, comparison = build_demo(settings, SetSizes(), seed=seed, on_progress=show)
    card = taught.card.model_copy(update={"notes": [*taught.card.notes, *comparison.in_words()]})
    write_bundle(out, card, taught.weights, taught.golden, taught.extra)
    with bars() as show:
        digest = release(out, seed, card.created, show)
    Inspector.load(out, device="cpu", expected_digest=digest)
    console.print(comparison.as_table())
    console.print(f"bundle {digest} in {out}")


if __name__ == "__main__":
    typer.run(main)
