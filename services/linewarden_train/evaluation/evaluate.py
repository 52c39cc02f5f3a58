"""``evaluate``: from scores to everything that may be said of them."""

import numpy as np

from linewarden_train.evaluation.cohort import Cohort, arrange
from linewarden_train.evaluation.endpoint import cohort_values, primary
from linewarden_train.evaluation.groups import draw_groups
from linewarden_train.evaluation.masks import mask_figures
from linewarden_train.evaluation.ranking import budget_name, curve, score_row
from linewarden_train.evaluation.results import Evaluation, Findings, OperatingPoint, Plan
from linewarden_train.evaluation.scored import Scored, Values
from linewarden_train.evaluation.verdicts import either_rule, either_score, group_share, rates_of


def evaluate(scored: Scored, plan: Plan, rng: np.random.Generator, *, divert_from: float | None = None) -> Evaluation:
    """Evaluate by a plan that was fixed before; ``divert_from`` adds the operating point of one bundle.

    Raises ValueError for a score of the plan that is not there, and for networks without good pictures.
    """
    mixed = scored.mixed_groups()
    cohort = arrange(scored)
    rest = scored.without(mixed) if mixed else None
    return Evaluation(
        plan=plan,
        findings=findings_of(cohort, plan, rng),
        masks=mask_figures(cohort),
        mixed_groups=mixed,
        without_mixed=findings_of(arrange(rest), plan, rng) if rest is not None and _has_both(rest) else None,
        operating=None if divert_from is None else _operating(cohort, plan, divert_from),
    )


def findings_of(cohort: Cohort, plan: Plan, rng: np.random.Generator) -> Findings:
    """Return the primary endpoint, then everything exploratory."""
    draws = draw_groups(cohort, plan.bootstraps, rng)
    scores = _all_scores(cohort, plan)
    chosen = {name: scores[name] for name in (plan.score, plan.rival)}
    budgets = sorted({*plan.budgets, plan.budget})
    groups = int(cohort.missed_groups.size)
    return Findings(
        rates=rates_of(cohort),
        endpoint=primary(cohort, plan, draws),
        scores=[score_row(cohort, name, values, plan, draws) for name, values in scores.items()],
        curves=[curve(cohort, name, values) for name, values in scores.items()],
        random_catches_all={budget_name(budget): budget**groups for budget in budgets} if groups else {},
        either=either_rule(cohort, chosen),
    )


def _all_scores(cohort: Cohort, plan: Plan) -> dict[str, Values]:
    """Order them: the plan's score, its rival, then the others by name; ``either`` last."""
    first = {plan.score: cohort_values(cohort, plan.score), plan.rival: cohort_values(cohort, plan.rival)}
    others = {name: cohort.scored.scores[name] for name in sorted(cohort.scored.scores)}
    return {**first, "margin": cohort.scored.margin, **others, **first, "either": either_score(cohort)}


def _has_both(scored: Scored) -> bool:
    return bool(scored.defective.any()) and bool((~scored.defective & scored.decidable).any())


def _operating(cohort: Cohort, plan: Plan, divert_from: float) -> OperatingPoint:
    scored = cohort.scored
    doubtful = scored.passed & ~(cohort_values(cohort, plan.score) < divert_from)
    missed = scored.passed & scored.defective
    return OperatingPoint(
        divert_from=divert_from,
        diverted_share_of_good=group_share(cohort, doubtful, ~scored.defective & scored.decidable),
        recall=group_share(cohort, doubtful, missed),
        trusted_pass_rate_of_defects=group_share(cohort, scored.passed & ~doubtful, scored.defective),
    )
