"""What a second look catches, on fresh synthetic parts: the enhancement's and the turned one, against the margin.

    python -m benchmarks.second_look [--seed 7] [--parts 3000] [--threads 1]

The demo bundle's network; logistics from 600 parts, the threshold at 1 % overkill from 1,000 good ones, and the report
on parts that neither saw. Each recipe diverts the same share of passed good parts as lowering the threshold would;
the exact paired test is over missed parts.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from benchmarks.machine import machine
from linewarden.demo.line import BUNDLE
from linewarden_domain.resampling import Values
from linewarden_train.demo_bundle import TRUST, SetSizes, synthetic_set
from linewarden_train.evaluation.comparison import compare
from linewarden_train.progress import OnProgress, bars
from linewarden_train.training.calibration import (
    TrustRecipe,
    defect_threshold,
    fit_trust,
    suspicion_of,
    suspicion_threshold,
    worst_of_parts,
)
from linewarden_train.training.choosing import TURNED_MARGIN
from linewarden_train.training.scoring import RawScores, score_samples
from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import read_bundle
from linewarden_vision.card import CalibrationProvenance

RECIPES: Mapping[str, TrustRecipe] = {
    "enhancement, 15 %": TrustRecipe(second_look_share=0.15),
    "turned, 15 %": replace(TRUST, second_look_share=0.15),
    "turned, 10 %": replace(TRUST, second_look_share=0.10),
    "turned margin alone, 10 %": replace(TURNED_MARGIN, second_look_share=0.10),
}
SHARES = (0.02, 0.05, 0.10)
_UNUSED = CalibrationProvenance(
    set_digest="0" * 64, set_name="benchmark", n=1, curve_point="never leaves it", date="2000-01-01"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7, help="of the parts; 0 taught the bundle")
    parser.add_argument("--parts", type=int, default=3000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    print(f"{machine()}, torch {torch.__version__}")
    sizes = SetSizes()
    with bars() as show:
        calibration = _scored(options.seed, 1, sizes.calibration, 0.5, show)
        thresholds = _scored(options.seed, 2, sizes.thresholds, 0.0, show)
        report = _scored(options.seed, 4, options.parts, 0.5, show)
    _print(calibration, _worst(thresholds, thresholds.margin), report)
    return 0


def _scored(seed: int, order: int, count: int, defect_rate: float, show: OnProgress) -> RawScores:
    bundle = read_bundle(BUNDLE)
    chosen = synthetic_set(f"set {order}", seed, order, count, defect_rate)
    done = 0

    def tell(scored: int) -> None:
        nonlocal done
        done += scored
        show(chosen.name, done, len(chosen.samples))

    spec = bundle.card.picture
    return score_samples(network_of(bundle), chosen.samples, spec, epsilon=TRUST.epsilon, on_batch=tell)


def _print(calibration: RawScores, good: Values, report: RawScores) -> None:
    margin, defective = _worst(report, report.margin), _worst(report, report.defective.astype(float)) > 0
    reject = defect_threshold(good, 0.01)
    passed_good = (margin <= reject) & ~defective
    for name, recipe in RECIPES.items():
        suspicion = _worst(report, suspicion_of(report, fit_trust(calibration, recipe, _UNUSED).build()))
        scores = {"trust": suspicion, "margin": margin}
        for share in SHARES:
            limit = suspicion_threshold(suspicion[passed_good], share)
            found = compare(scores, defective, "trust", reject_above=reject, divert_from=limit)
            print(
                f"{name:26s} {share:4.0%} of good parts diverted: {found.caught} of {found.missed} misses, "
                f"lowering the threshold {found.rivals['margin']}; +{found.only_trust} -{found.only_margin}, "
                f"p = {found.p_value:.2g}"
            )


def _worst(scores: RawScores, values: Values) -> Values:
    return worst_of_parts(values, scores.groups, np.ones(len(scores.labels), bool))


if __name__ == "__main__":
    raise SystemExit(main())
