"""Exploratory figures of one score among parts that the network passes; every group counts once.

AUROC is counted within each network. Average precision, AURC (area under selective risk and coverage) and AUGRC (the
same with generalised risk, Traub et al. 2024) rank all networks together by the share of good groups above, ties half.
"""

from dataclasses import dataclass, replace

import numpy as np

from linewarden_domain.resampling import Values
from linewarden_train.evaluation.cohort import Cohort, finite, interval, loads, recall
from linewarden_train.evaluation.results import Curve, EvaluationPlan, Interval, ScoreRow


@dataclass(frozen=True, slots=True)
class Pool:
    """Passed parts ranked together: ``key`` falls with suspicion, ``weight`` sums to one a group."""

    key: Values
    missed: Values
    weight: Values


def score_row(cohort: Cohort, name: str, values: Values, plan: EvaluationPlan, draws: Values) -> ScoreRow:
    """Describe one score; figures are None without a missed part."""
    budgets = sorted({*plan.budgets, plan.budget})
    if not cohort.missed.size:
        none = {f"{budget:g}": None for budget in budgets}
        areas = dict.fromkeys(("diverted_for_95", "diverted_for_all", "auroc", "average_precision", "aurc", "augrc"))
        return ScoreRow(name=name, recall=none, at_budget=Interval(value=None), **areas)
    load = loads(cohort, values, cohort.ones)
    at_budget = float(recall(cohort, load, plan.budget, cohort.ones)[0])
    drawn = recall(cohort, loads(cohort, values, draws), plan.budget, draws)
    mid = loads(cohort, values, cohort.ones, ties=0.5, passed_only=True)
    pooled = pool(cohort, values)
    return ScoreRow(
        name=name,
        recall={f"{budget:g}": float(recall(cohort, load, budget, cohort.ones)[0]) for budget in budgets},
        at_budget=interval(at_budget, drawn, plan.confidence),
        diverted_for_95=load_for(cohort, load[0], 0.95),
        diverted_for_all=float(load.max()),
        auroc=finite(1 - float(cohort.by_group(mid)[0].mean())),
        average_precision=average_precision(pooled),
        aurc=selective_area(pooled, generalised=False),
        augrc=selective_area(pooled, generalised=True),
    )


def load_for(cohort: Cohort, load: Values, share: float) -> float:
    """Return the smallest load at which that share of missed groups' pictures is caught."""
    counts = np.bincount(cohort.group[cohort.missed], minlength=len(cohort.names))
    weight = 1 / counts[cohort.group[cohort.missed]] / cohort.missed_groups.size
    order = np.argsort(load, kind="stable")
    reached = np.cumsum(weight[order]) >= share - 1e-9
    return float(load[order][int(np.argmax(reached))])


def curve(cohort: Cohort, name: str, values: Values) -> Curve:
    """Follow ``trusted_pass_rate_of_defects`` as more is diverted; undecidable defects never pass."""
    load = loads(cohort, values, cohort.ones)[0] if cohort.missed.size else np.zeros(0)
    defective = np.flatnonzero(cohort.scored.defective)
    counts = np.bincount(cohort.group[defective], minlength=len(cohort.names))
    weight = 1 / counts[cohort.group[cohort.missed]] / max(1, cohort.defective_groups.size)
    steps = np.unique(np.concatenate([[0.0], load]))
    left = [float(weight[load > step + 1e-9].sum()) for step in steps]
    return Curve(name=name, diverted=[float(step) for step in steps], trusted_pass_rate_of_defects=left)


def pool(cohort: Cohort, values: Values) -> Pool:
    """Rank passed good and missed pictures of all networks together by the share of passed good groups above."""
    passed = cohort.good[cohort.scored.passed[cohort.good]]
    as_missed = replace(cohort, missed=np.concatenate([cohort.missed, passed]))
    key = loads(as_missed, values, cohort.ones, ties=0.5, passed_only=True)[0]
    missed = np.zeros(key.size, bool)
    missed[: cohort.missed.size] = True
    weight = np.empty(key.size)
    for side, rows in ((missed, cohort.missed), (~missed, passed)):
        weight[side] = 1 / np.bincount(cohort.group[rows], minlength=len(cohort.names))[cohort.group[rows]]
    return Pool(key, missed.astype(float), weight)


def average_precision(pooled: Pool) -> float | None:
    """Return the weighted area under precision and recall, ties as one step."""
    caught, whole = _blocks(pooled, suspicious_first=True)
    gain = np.diff(np.concatenate([[0.0], caught]))
    return finite(float((gain * caught / whole).sum() / caught[-1])) if caught[-1] else None


def selective_area(pooled: Pool, *, generalised: bool) -> float | None:
    """Return AURC or AUGRC: mean over coverage of the risk among those accepted (or of the joint probability)."""
    missed, whole = _blocks(pooled, suspicious_first=False)
    width = np.diff(np.concatenate([[0.0], whole])) / whole[-1]
    return finite(float((width * missed / (whole[-1] if generalised else whole)).sum()))


def _blocks(pooled: Pool, *, suspicious_first: bool) -> tuple[Values, Values]:
    """Accumulate missed weight and all weight over blocks of equal keys."""
    key = np.round(pooled.key, 12)
    keys, where = np.unique(key if suspicious_first else -key, return_inverse=True)
    missed = np.bincount(where, pooled.weight * pooled.missed, minlength=keys.size)
    return np.cumsum(missed), np.cumsum(np.bincount(where, pooled.weight, minlength=keys.size))
