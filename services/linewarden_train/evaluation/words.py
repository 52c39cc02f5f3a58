"""An evaluation in words and rows, the same for the terminal and the page."""

from collections.abc import Sequence

from linewarden_train.data.samples import GOOD
from linewarden_train.evaluation.evaluate import NEEDED
from linewarden_train.evaluation.results import Endpoint, Evaluation, Findings, Interval, MaskFigures, Size
from linewarden_train.training.classes import NOT_MARKED, UNKNOWN
from linewarden_vision.region_classes import ClassTable


def percent(value: float | None) -> str:
    """Return a share, or that there is no evidence for one."""
    return "no evidence" if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    """Return three digits, or a dash."""
    return "–" if value is None else f"{value:.3f}"  # noqa: RUF001 - a dash in a table


def spread(interval: Interval) -> str:
    """Return a share with its interval."""
    if interval.value is None or interval.low is None or interval.high is None:
        return percent(interval.value)
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def size_text(size: Size) -> str:
    """Return the evidence behind a figure."""
    return f"{size.n_pictures} pictures, {size.n_groups} groups, {size.n_seeds} seed{'s' * (size.n_seeds != 1)}"


def endpoint_rows(endpoint: Endpoint) -> list[tuple[str, str]]:
    """Return the primary endpoint line by line."""
    score, rival = endpoint.score, endpoint.rival
    return [
        (f"recall of misses by {score}", spread(endpoint.recall)),
        (f"recall of misses by {rival} (lowering the threshold)", spread(endpoint.rival_recall)),
        ("difference", spread(endpoint.difference)),
        ("missed", size_text(endpoint.size)),
        *(
            (f"groups caught more by {name}", f"{len(groups)} ({some(groups, 8)})" if groups else "0")
            for name, groups in ((score, endpoint.more_by_score), (rival, endpoint.more_by_rival))
        ),
        ("groups caught alike", str(endpoint.tied)),
        ("exact paired test over groups", f"p = {endpoint.p_value:.3g}"),
    ]


def endpoint_verdict(endpoint: Endpoint | None) -> str:
    """Say in one sentence what the primary endpoint shows, and no more."""
    if endpoint is None:
        return "No defective part was missed: there is nothing left to catch, and nothing is shown."
    if endpoint.discordant < NEEDED:
        return (
            f"Nothing is established: {endpoint.discordant} discordant groups; "
            f"p < .05 needs at least {NEEDED} discordant groups, all one way."
        )
    if endpoint.p_value >= 0.05:
        return (
            f"No difference is established (p = {endpoint.p_value:.2g} over {endpoint.discordant} discordant groups)."
        )
    winner = endpoint.score if len(endpoint.more_by_score) > len(endpoint.more_by_rival) else endpoint.rival
    loser = endpoint.rival if winner == endpoint.score else endpoint.score
    return f"{winner} catches more misses than {loser} (p = {endpoint.p_value:.2g})."


def verdict_rows(findings: Findings) -> list[tuple[str, str, str]]:
    """Return the verdict's rates, each with its evidence."""
    rates = findings.rates
    rows = [
        ("miss_rate_of_defects", percent(rates.miss_rate_of_defects), size_text(rates.defective)),
        ("overkill_rate_of_good", percent(rates.overkill_rate_of_good), size_text(rates.good)),
        ("image AP", number(rates.image_average_precision), size_text(rates.defective)),
        ("image AUROC", number(rates.image_auroc), size_text(rates.defective)),
    ]
    undecidable = rates.undecidable_good + rates.undecidable_defective
    if undecidable:
        text = f"{rates.undecidable_good} good, {rates.undecidable_defective} defective"
        rows.append(("not decidable, diverted", str(undecidable), text))
    return rows


def score_headers(evaluation: Evaluation) -> list[str]:
    """Return the columns of the table of scores."""
    budgets = [f"{float(budget):.0%}" for budget in _budgets(evaluation)]
    return [
        "score",
        *(f"recall at {budget}" for budget in budgets),
        f"interval at {evaluation.plan.budget:.0%}",
        *("load for 95 %", "load for all", "AUROC", "AP", "AURC", "AUGRC"),
    ]


def score_rows(evaluation: Evaluation, findings: Findings) -> list[list[str]]:
    """Return every score at equal load, and what a random ranking would do."""
    budgets = _budgets(evaluation)
    rows = []
    for row in findings.scores:
        inside = "–" if row.at_budget.low is None else f"{row.at_budget.low:.0%} to {row.at_budget.high:.0%}"  # noqa: RUF001
        loads = [percent(row.diverted_for_95), percent(row.diverted_for_all)]
        areas = [number(value) for value in (row.auroc, row.average_precision, row.aurc, row.augrc)]
        rows.append([row.name, *(percent(row.recall[budget]) for budget in budgets), inside, *loads, *areas])
    return rows


def random_row(evaluation: Evaluation, findings: Findings) -> list[str]:
    """Return the probabilities that a random ranking catches every group."""
    return [f"{findings.random_catches_all.get(budget, 1.0):.2g}" for budget in _budgets(evaluation)]


def mask_rows(masks: MaskFigures) -> list[tuple[str, str]]:
    """Return the mask figures under their names."""
    return [
        ("pooled IoU", number(masks.pooled_iou)),
        ("Sample_mIoU", number(masks.sample_miou)),
        ("Seg_mIoU", number(masks.seg_miou)),
        ("Seg_Recall", number(masks.seg_recall)),
        ("two-class pooled mIoU", number(masks.two_class_pooled_miou)),
    ]


def class_rows(masks: MaskFigures) -> list[list[str]]:
    """Return one row a class."""
    return [
        [
            one.defect_class,
            percent(one.miss_rate_of_defects),
            number(one.defect_iou),
            number(one.seg_recall),
            str(one.annotated),
            size_text(one.size),
        ]
        for one in masks.by_class
    ]


def confusion_headers(table: ClassTable) -> list[str]:
    """Return the columns of a table of confusion."""
    return ["true class", *_told(table), "evidence"]


def confusion_rows(table: ClassTable) -> list[list[str]]:
    """Return what regions of each true class were told to be, by group; good ones are marks where nothing is."""
    return [
        [
            row.defect_class,
            *(f"{row.told[name]:.0%}" if name in row.told else "" for name in _told(table)),
            f"{row.n_regions} regions, {row.n_groups} groups",
        ]
        for row in table.rows
    ]


def _told(table: ClassTable) -> list[str]:
    """Classes by name, then unknown and not marked."""
    found = {name for row in table.rows for name in (*row.told, row.defect_class)} - {UNKNOWN, NOT_MARKED, GOOD}
    last = [name for name in (UNKNOWN, NOT_MARKED) if any(name in row.told for row in table.rows)]
    return [*sorted(found), *last]


def either_text(findings: Findings) -> str:
    """Say what letting any mask reject would cost and catch, and what others catch at the same load."""
    rule = findings.either
    if rule is None:
        return "No miss: nothing to compare."
    others = ", ".join(f"{name} {percent(value)}" for name, value in rule.at_same_load.items())
    return (
        f"As verdict rule, either loads {percent(rule.total_load)} of good groups in all and catches "
        f"{percent(rule.recall)} of the misses; at the same total load (overkill + diverted): {others}."
    )


def _budgets(evaluation: Evaluation) -> list[str]:
    return [f"{budget:g}" for budget in sorted({*evaluation.plan.budgets, evaluation.plan.budget})]


def some(names: Sequence[str], most: int) -> str:
    """Name the first ``most``, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
