"""From a set to a study: arms trained, folds pooled, one evaluation."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from linewarden_train.data.samples import Samples
from linewarden_train.evaluation.evaluate import evaluate
from linewarden_train.evaluation.results import Plan
from linewarden_train.evaluation.scored import Scored
from linewarden_train.rivals import RandomHeads, compare_heads, head_scores, score_rivals
from linewarden_train.study.ablation import arm_result
from linewarden_train.study.arms import ArmFold, StudyPlan, train_arms
from linewarden_train.study.page import Study
from linewarden_train.study.parallel import side_by_side
from linewarden_train.study.pooling import pooled, rest_of
from linewarden_train.study.steps import step_scores
from linewarden_train.training.choosing import Choice, choose
from linewarden_train.training.folder import settings_of
from linewarden_train.training.scoring import Values
from linewarden_train.training.terms import Surroundings
from linewarden_vision.network.interface import DefectNetwork

_NAMED = "turned"
_OVERKILL = 0.01
_DIVERTED = 0.05


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
) -> Study:
    """Train what ``work`` does not hold yet, and report; everything but the training is repeated each time.

    ``jobs`` processes score folds and their rivals side by side.
    """
    trained = train_arms(samples, plan, work, around, jobs)
    recipe, rng = settings_of(plan.options).trust, np.random.default_rng(plan.options.seed)
    both = trained.folds
    partners = trained.partners
    calls = [(fold, partners.get(fold.number), part) for fold, part in zip(both, rng.spawn(len(both)), strict=True)]
    found = side_by_side(_rivals, calls, jobs, partial(around.on_progress, "rivals, by fold"))
    rivals = dict(zip([fold.number for fold in both], found, strict=True))
    choices = {
        fold.number: choose(
            [other.scores for other in rest_of(both, fold)], recipe, overkill=_OVERKILL, diverted=_DIVERTED
        )
        for fold in both
    }
    scored = pooled(both, recipe, _OVERKILL, rivals, choices)
    return Study(
        title=title,
        plan=plan,
        pictures=len(samples),
        groups=len({label.group for label in samples.labels}),
        arms=[arm_result(folds) for folds in trained.ablation.values()],
        evaluation=evaluate(scored, Plan(score=_NAMED), rng),
        heads=_heads(both, scored, rng),
        machine=machine,
        command=command,
        notes=_notes(scored, plan, choices),
    )


def _rivals(fold: ArmFold, partner: DefectNetwork | None, rng: np.random.Generator) -> dict[str, Values]:
    """Score the rivals and the other steps; the ensemble is a second network that never saw these groups either."""
    ensemble = [] if partner is None else [partner]
    found = score_rivals(fold.network, fold.held_out, fold.spec, reference=fold.rest, ensemble=ensemble, rng=rng)
    return found | step_scores(fold)


def _heads(folds: Sequence[ArmFold], scored: Scored, rng: np.random.Generator) -> RandomHeads | None:
    """Compare heads over all folds; each fold draws its own."""
    parts = [head_scores(fold.network, fold.held_out, fold.spec, rng=rng)[1] for fold in folds]
    if not (scored.passed & scored.defective).any():
        return None
    return compare_heads(np.concatenate(parts), scored.passed, scored.labels)


def _notes(scored: Scored, plan: StudyPlan, choices: Mapping[int, Choice]) -> list[str]:
    unannotated = int((scored.pixels.target < 0).sum())
    return [
        "Folds are dealt by group and class; a picture is scored by the one network that never saw its group.",
        *_ensemble_note(plan),
        f"{unannotated} defective pictures without a mask count for classification only.",
        "The two mask thresholds of a fold are those with the best Seg_mIoU on the other folds.",
        *(f"`chosen`, fold {number + 1}: {choice}; on the other folds." for number, choice in choices.items()),
        "In the ablation each arm has its own best threshold on these same pictures, which flatters all arms alike.",
        "Cross-fitting measures the recipe; it qualifies no bundle.",
    ]


def _ensemble_note(plan: StudyPlan) -> list[str]:
    if not plan.partner_steps:
        return ["The rival `ensemble` is missing: no fold has a second network."]
    told = f"{plan.partner_steps} steps, seed {plan.options.seed + 1}"
    return [f"The ensemble's second network was taught alike on the same groups, {told}."]
