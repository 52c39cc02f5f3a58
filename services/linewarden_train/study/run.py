"""From a set to a study: arms trained, folds pooled, one evaluation."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Samples
from linewarden_train.evaluation.evaluate import evaluate
from linewarden_train.evaluation.results import EvaluationPlan
from linewarden_train.evaluation.scored import ScoredSet
from linewarden_train.rivals.interface import looks
from linewarden_train.rivals.random_heads import RandomHeads, compare_heads, head_scores
from linewarden_train.rivals.scoring import score_rivals
from linewarden_train.study.arms import ArmFold, StudyPlan, side_by_side, train_arms
from linewarden_train.study.page import StudyReport
from linewarden_train.study.pooling import arm_result, pooled
from linewarden_train.training.choosing import Choice, choose
from linewarden_train.training.folder import settings_of
from linewarden_train.training.terms import Surroundings
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.enhancement import NAMED_ENHANCEMENTS, Response, Source
from linewarden_vision.trust.ingredients import second_ingredients


def run_study(
    samples: Samples,
    plan: StudyPlan,
    work: Path,
    around: Surroundings,
    *,
    title: str,
    machine: str,
    command: str,
    jobs: int = 1,
) -> StudyReport:
    """Train what ``work`` does not hold yet, and report; everything but the training is repeated each time.

    ``jobs`` processes score folds and their rivals side by side.
    """
    both, ablation, partners = train_arms(samples, plan, work, around, jobs)
    recipe, rng = settings_of(plan.options).trust, np.random.default_rng(plan.options.seed)
    calls = [(fold, partners.get(fold.number), part) for fold, part in zip(both, rng.spawn(len(both)), strict=True)]
    found = side_by_side(_rivals, calls, jobs, partial(around.on_progress, "rivals, by fold"))
    rivals = dict(zip([fold.number for fold in both], found, strict=True))
    overkill = 0.01
    choices = {
        fold.number: choose(
            [other.scores for other in both if other is not fold], recipe, overkill=overkill, diverted=0.05
        )
        for fold in both
    }
    scored = pooled(both, recipe, overkill, rivals, choices)
    return StudyReport(
        title=title,
        plan=plan,
        pictures=len(samples),
        groups=len({label.group for label in samples.labels}),
        arms=[arm_result(folds) for folds in ablation.values()],
        evaluation=evaluate(scored, EvaluationPlan(score="turned"), rng),
        heads=_heads(both, scored, rng),
        machine=machine,
        command=command,
        notes=_notes(scored, plan, choices),
    )


def _rivals(fold: ArmFold, partner: DefectNetwork | None, rng: np.random.Generator) -> dict[str, Values]:
    """Score the rivals and the other steps; the ensemble is a second network that never saw these groups either."""
    ensemble = [] if partner is None else [partner]
    found = score_rivals(fold.network, fold.held_out, fold.spec, reference=fold.rest, ensemble=ensemble, rng=rng)
    return found | _step_scores(fold)


def _heads(folds: Sequence[ArmFold], scored: ScoredSet, rng: np.random.Generator) -> RandomHeads | None:
    """Compare heads over all folds; each fold draws its own."""
    parts = [head_scores(fold.network, fold.held_out, fold.spec, rng=rng)[1] for fold in folds]
    if not (scored.passed & scored.defective).any():
        return None
    return compare_heads(np.concatenate(parts), scored.passed, scored.labels)


def _notes(scored: ScoredSet, plan: StudyPlan, choices: Mapping[int, Choice]) -> list[str]:
    unannotated = int((scored.pixels.target < 0).sum())
    return [
        "Folds are dealt by group and class; a picture is scored by the one network that never saw its group.",
        "The rival `ensemble` is missing: no fold has a second network."
        if not plan.partner_steps
        else "The ensemble's second network was taught alike on the same groups, "
        f"{plan.partner_steps} steps, seed {plan.options.seed + 1}.",
        f"{unannotated} defective pictures without a mask count for classification only.",
        "The two mask thresholds of a fold are those with the best Seg_mIoU on the other folds.",
        *(f"`chosen`, fold {number + 1}: {choice}; on the other folds." for number, choice in choices.items()),
        "In the ablation each arm has its own best threshold on these same pictures, which flatters all arms alike.",
        "Cross-fitting measures the recipe; it qualifies no bundle.",
    ]


def _step_scores(fold: ArmFold) -> dict[str, Values]:
    """Return agreement and margin after each named step (N,), as ``agreement_enhanced@stride_8``.

    Of a picture in tiles, the largest over the tiles.
    """
    steps = ("stride_8", "stride_32", "pgd_3", "towards_ok", "input_1")
    told = ("agreement_enhanced", "margin_enhanced")
    names = [f"{after}@{step}" for step in steps for after in told]
    table = np.full((len(fold.held_out), len(names)), -np.inf)
    for rows, look in looks(fold.network, fold.held_out, fold.spec, batch=16):
        source = Source(look.pictures, look.output.pyramid, 1 / look.std)
        before = Response.of(look.output)
        columns = [second_ingredients(fold.network, source, before, told, NAMED_ENHANCEMENTS[step]) for step in steps]
        values = np.concatenate([np.asarray(column.double().cpu().numpy(), np.float64) for column in columns], axis=1)
        np.maximum.at(table, rows, values)
    return {name: table[:, column] for column, name in enumerate(names)}
