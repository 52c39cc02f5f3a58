"""Teach the demo's bundle on synthetic parts: ``python -m linewarden_train.demo_bundle --out FOLDER``.

Five sets of parts that share no seed: teaching, trust calibration, thresholds, golden pictures and
one report. Whatever the report says is printed and written into the card.
"""

import hashlib
import time
from collections.abc import Mapping
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
from torch import Tensor

from linewarden_domain.resampling import Values
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.evaluation.comparison import TrustComparison, compare
from linewarden_train.progress import OnProgress, bars
from linewarden_train.training.bundle import teach
from linewarden_train.training.calibration import TrustRecipe, suspicion_of, worst_of_parts
from linewarden_train.training.drawing import DrawSettings
from linewarden_train.training.loop import TrainSettings
from linewarden_train.training.network import score
from linewarden_train.training.scoring import RawScores
from linewarden_train.training.terms import NamedSamples, Surroundings, Taught, TeachingSets, TeachSettings
from linewarden_vision.bundle import content_of, write_bundle
from linewarden_vision.card import Card
from linewarden_vision.inspector import Inspector
from linewarden_vision.promotions import PromotionEvidence, climb, to_files
from linewarden_vision.synthetic.demo import DEMO_DIFFICULTY, DEMO_SIZE, DEMO_VIEWS

TRUST = TrustRecipe(second=("margin_turned",))
"""Fixed on other parts: the recipe that won out of fold on the magnetic tiles, and again on 3,000 synthetic parts."""


@dataclass(frozen=True, slots=True)
class SetSizes:
    """How many parts each of the five sets has."""

    teaching: int = 2400
    calibration: int = 600
    thresholds: int = 1000
    golden: int = 200
    report: int = 1200


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


def promoted(card: Card, weights: Mapping[str, Tensor], extra: Mapping[str, bytes]) -> dict[str, bytes]:
    """Promote to assisted on the report in the card's notes, so that the demo's line passes parts.

    The set's size is that of the report; nobody but the program looked at it, and it says so.
    """
    report = "\n".join(card.notes).encode()
    evidence = PromotionEvidence(kind="evaluation", sha256=hashlib.sha256(report).hexdigest(), n=SetSizes().report)
    content = content_of(card, weights, extra)
    return to_files(climb(content, "assisted", who="make bundle", date=card.created, evidence=evidence))


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
    extra = {**taught.extra, **promoted(card, taught.weights, taught.extra)}
    digest = write_bundle(out, card, taught.weights, taught.golden, extra)
    Inspector.load(out, device="cpu", expected_digest=digest)
    console.print(comparison.as_table())
    console.print(f"bundle {digest} in {out}")


if __name__ == "__main__":
    typer.run(main)
