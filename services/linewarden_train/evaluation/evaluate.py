"""``evaluate``: from scores to everything that may be said of them."""

import numpy as np
import torch
from scipy.stats import binomtest
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision

from linewarden_domain.resampling import Values
from linewarden_train.data.groups import mixed_groups
from linewarden_train.evaluation.cohort import Cohort, arrange, draw_groups, interval, loads, recall, within
from linewarden_train.evaluation.masks import mask_figures
from linewarden_train.evaluation.ranking import curve, score_row
from linewarden_train.evaluation.results import (
    EitherRule,
    Endpoint,
    Evaluation,
    EvaluationPlan,
    Findings,
    OperatingPoint,
    Rates,
)
from linewarden_train.evaluation.scored import ScoredSet


def evaluate(
    scored: ScoredSet, plan: EvaluationPlan, rng: np.random.Generator, *, divert_from: float | None = None
) -> Evaluation:
    """Evaluate by a plan that was fixed before; ``divert_from`` adds the operating point of one bundle.

    Raises ValueError for a score of the plan that is not there, and for networks without good pictures.
    """
    mixed = mixed_groups(scored.labels)
    cohort = arrange(scored)
    rest = scored.without(mixed) if mixed else None
    both = rest is not None and bool(rest.defective.any()) and bool((~rest.defective & rest.decidable).any())
    return Evaluation(
        plan=plan,
        findings=findings_of(cohort, plan, rng),
        masks=mask_figures(cohort),
        mixed_groups=mixed,
        without_mixed=findings_of(arrange(rest), plan, rng) if rest is not None and both else None,
        operating=None if divert_from is None else _operating(cohort, plan, divert_from),
    )


def findings_of(cohort: Cohort, plan: EvaluationPlan, rng: np.random.Generator) -> Findings:
    """Return the primary endpoint, then everything exploratory."""
    draws = draw_groups(cohort, plan.bootstraps, rng)
    chosen = {name: cohort.score(name) for name in (plan.score, plan.rival)}
    others = {name: cohort.scored.scores[name] for name in sorted(cohort.scored.scores)}
    # the plan's score, its rival, then the others by name; ``either`` last
    scores = {**chosen, "margin": cohort.scored.margin, **others, **chosen, "either": either_score(cohort)}
    budgets = sorted({*plan.budgets, plan.budget})
    groups = int(cohort.missed_groups.size)
    return Findings(
        rates=rates_of(cohort),
        endpoint=primary(cohort, plan, draws),
        scores=[score_row(cohort, name, values, plan, draws) for name, values in scores.items()],
        curves=[curve(cohort, name, values) for name, values in scores.items()],
        random_catches_all={f"{budget:g}": budget**groups for budget in budgets} if groups else {},
        either=either_rule(cohort, chosen),
    )


def _operating(cohort: Cohort, plan: EvaluationPlan, divert_from: float) -> OperatingPoint:
    scored = cohort.scored
    doubtful = scored.passed & ~(cohort.score(plan.score) < divert_from)
    missed = scored.passed & scored.defective
    return OperatingPoint(
        divert_from=divert_from,
        diverted_share_of_good=cohort.share_of_groups(doubtful, ~scored.defective & scored.decidable),
        recall=cohort.share_of_groups(doubtful, missed),
        trusted_pass_rate_of_defects=cohort.share_of_groups(scored.passed & ~doubtful, scored.defective),
    )


def rates_of(cohort: Cohort) -> Rates:
    """Count verdicts; rates are means over groups of each group's share, ranking is averaged over networks."""
    scored = cohort.scored
    defective = scored.defective
    return Rates(
        miss_rate_of_defects=cohort.share_of_groups(scored.passed, defective),
        overkill_rate_of_good=cohort.share_of_groups(scored.rejected, ~defective & scored.decidable),
        image_average_precision=_ranking(cohort, BinaryAveragePrecision),
        image_auroc=_ranking(cohort, BinaryAUROC),
        good=cohort.size_of(np.flatnonzero(~defective)),
        defective=cohort.size_of(np.flatnonzero(defective)),
        missed=cohort.size_of(cohort.missed),
        undecidable_good=int((~defective & ~scored.decidable).sum()),
        undecidable_defective=int((defective & ~scored.decidable).sum()),
    )


def either_rule(cohort: Cohort, rivals: dict[str, Values]) -> EitherRule | None:
    """Let any mask reject, and give every rival the load on good groups that this costs; None without a miss.

    The classifier's own threshold stays; what the mask adds to overkill is what a rival may divert.
    """
    if not cohort.missed.size:
        return None
    scored = cohort.scored
    extra = np.where(scored.mask_any, 1.0, 0.0)
    good = ~scored.defective & scored.decidable
    load = cohort.share_of_groups(scored.passed & scored.mask_any, good) or 0.0
    overkill = cohort.share_of_groups(scored.rejected | scored.mask_any, good) or 0.0
    caught = cohort.by_group(extra[cohort.missed][None])[0]
    return EitherRule(
        overkill_rate_of_good=overkill,
        total_load=overkill,
        recall=float(caught.mean()),
        at_same_load={
            name: float(recall(cohort, loads(cohort, values, cohort.ones), load, cohort.ones)[0])
            for name, values in rivals.items()
        },
    )


def either_score(cohort: Cohort) -> Values:
    """Return ``either`` as a ranking: what any mask shows comes first, then the margin."""
    return np.where(cohort.scored.mask_any, np.inf, cohort.scored.margin)


def _ranking(cohort: Cohort, metric: type[BinaryAUROC] | type[BinaryAveragePrecision]) -> float | None:
    found = []
    for place in np.unique(cohort.network):
        rows = np.flatnonzero((cohort.network == place) & cohort.scored.decidable)
        truth = cohort.scored.defective[rows]
        if truth.any() and not truth.all():
            # the metric takes anything outside 0 to 1 for logits and saturates them: ranks keep the order exactly
            ranks = np.unique(cohort.scored.margin[rows], return_inverse=True)[1] / max(1, rows.size)
            measured = metric()
            measured.update(torch.from_numpy(ranks), torch.from_numpy(truth.astype(np.int64)))
            found.append(float(measured.compute()))
    return float(np.mean(found)) if found else None


NEEDED = 6
"""Discordant groups, all one way, without which no p-value falls below .05."""


def primary(cohort: Cohort, plan: EvaluationPlan, draws: Values) -> Endpoint | None:
    """Compare ``plan.score`` with ``plan.rival``; ``draws`` (R, G) are bootstrap multiplicities of groups.

    None without a missed part. Raises ValueError for a score that is not there.
    """
    if not cohort.missed.size:
        return None
    sides = [cohort.score(name) for name in (plan.score, plan.rival)]
    points = [loads(cohort, values, cohort.ones) for values in sides]
    shares = [cohort.by_group(within(load, plan.budget).astype(float))[0] for load in points]
    recalls = [float(recall(cohort, load, plan.budget, cohort.ones)[0]) for load in points]
    drawn = [recall(cohort, loads(cohort, values, draws), plan.budget, draws) for values in sides]
    names = np.asarray(cohort.names)[cohort.missed_groups]
    more = [str(name) for name in names[shares[0] > shares[1] + 1e-12]]
    less = [str(name) for name in names[shares[1] > shares[0] + 1e-12]]
    return Endpoint(
        score=plan.score,
        rival=plan.rival,
        budget=plan.budget,
        recall=interval(recalls[0], drawn[0], plan.confidence),
        rival_recall=interval(recalls[1], drawn[1], plan.confidence),
        difference=interval(recalls[0] - recalls[1], drawn[0] - drawn[1], plan.confidence),
        size=cohort.size_of(cohort.missed),
        more_by_score=more,
        more_by_rival=less,
        tied=int(names.size) - len(more) - len(less),
        p_value=sign_test(len(more), len(less)),
    )


def sign_test(one: int, other: int) -> float:
    """Return the exact two-sided p-value of discordant groups; 1 without any."""
    return float(binomtest(one, one + other).pvalue) if one + other else 1.0
