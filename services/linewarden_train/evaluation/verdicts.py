"""The verdict alone, and ``either`` as another verdict rule at the same total load (overkill and diverted together)."""

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_train.evaluation.cohort import Cohort, loads, recall
from linewarden_train.evaluation.endpoint import size_of
from linewarden_train.evaluation.results import EitherRule, Rates
from linewarden_train.evaluation.scored import Flags, Values
from linewarden_vision.metrics.images import ImageAUROC, ImageAveragePrecision


def rates_of(cohort: Cohort) -> Rates:
    """Count verdicts; rates are means over groups of each group's share, ranking is averaged over networks."""
    scored = cohort.scored
    defective = scored.defective
    return Rates(
        miss_rate_of_defects=group_share(cohort, scored.passed, defective),
        overkill_rate_of_good=group_share(cohort, scored.rejected, ~defective & scored.decidable),
        image_average_precision=_ranking(cohort, ImageAveragePrecision),
        image_auroc=_ranking(cohort, ImageAUROC),
        good=size_of(cohort, np.flatnonzero(~defective)),
        defective=size_of(cohort, np.flatnonzero(defective)),
        missed=size_of(cohort, cohort.missed),
        undecidable_good=int((~defective & ~scored.decidable).sum()),
        undecidable_defective=int((defective & ~scored.decidable).sum()),
    )


def group_share(cohort: Cohort, hit: Flags, among: Flags) -> float | None:
    """Return the mean over groups of the share of their chosen rows that are hit; None without a chosen row."""
    rows = np.flatnonzero(among)
    if not rows.size:
        return None
    _, where, counts = np.unique(cohort.group[rows], return_inverse=True, return_counts=True)
    return float((np.bincount(where, hit[rows].astype(float)) / counts).mean())


def either_rule(cohort: Cohort, rivals: dict[str, Values]) -> EitherRule | None:
    """Let any mask reject, and give every rival the load on good groups that this costs; None without a miss.

    The classifier's own threshold stays; what the mask adds to overkill is what a rival may divert.
    """
    if not cohort.missed.size:
        return None
    scored = cohort.scored
    extra = np.where(scored.mask_any, 1.0, 0.0)
    good = ~scored.defective & scored.decidable
    load = group_share(cohort, scored.passed & scored.mask_any, good) or 0.0
    overkill = group_share(cohort, scored.rejected | scored.mask_any, good) or 0.0
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


def _ranking(cohort: Cohort, metric: type[ImageAUROC] | type[ImageAveragePrecision]) -> float | None:
    found = []
    for place in np.unique(cohort.network):
        rows = np.flatnonzero((cohort.network == place) & cohort.scored.decidable)
        truth = cohort.scored.defective[rows]
        if truth.any() and not truth.all():
            found.append(_one(metric, cohort.scored.margin[rows], truth))
    return float(np.mean(found)) if found else None


def _one(metric: type[ImageAUROC] | type[ImageAveragePrecision], margin: Values, truth: NDArray[np.bool_]) -> float:
    measured = metric()
    # the metric takes anything outside 0 to 1 for logits and saturates them: ranks keep the order exactly
    ranks = np.unique(margin, return_inverse=True)[1] / max(1, margin.size)
    measured.update(torch.from_numpy(ranks), torch.from_numpy(truth.astype(np.int64)))
    return float(measured.compute())
