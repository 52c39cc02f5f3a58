"""The study in Markdown: the primary endpoint, then, clearly parted, what is exploratory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from linewarden_train.evaluation import words
from linewarden_train.evaluation.results import Evaluation
from linewarden_train.rivals.random_heads import RandomHeads
from linewarden_train.study.arms import StudyPlan
from linewarden_train.study.pooling import ArmResult
from linewarden_train.training.choosing import TURNED_MARGIN


@dataclass(frozen=True, slots=True)
class StudyReport:
    """Everything that the page shows; ``machine`` and ``command`` say where and how it was made."""

    title: str
    plan: StudyPlan
    pictures: int
    groups: int
    arms: Sequence[ArmResult]
    evaluation: Evaluation
    heads: RandomHeads | None
    machine: str
    command: str
    notes: Sequence[str]


def as_markdown(study: StudyReport) -> str:
    """Return the page; the same study gives the same text."""
    parts = [
        _head(study),
        _primary(study.evaluation),
        "## Exploratory: nothing below is a claim",
        *([_arms(study)] if study.arms else []),
        _rest(study.evaluation),
        _heads(study.heads),
        "## Notes\n\n" + "\n".join(f"- {note}" for note in study.notes),
    ]
    return "\n\n".join(parts) + "\n"


def _head(study: StudyReport) -> str:
    options = study.plan.options
    return (
        f"# {study.title}\n\n"
        f"Made by `{study.command}`. {study.machine}.\n\n"
        f"{study.pictures} pictures in {study.groups} groups; {study.plan.folds} folds over groups, each network "
        f"({options.network}, {options.encoder}, seed {options.seed}, {options.steps} steps) scored on groups that it "
        f"never saw. The score `{study.evaluation.plan.score}` was named beforehand: the margin, and for the "
        f"{TURNED_MARGIN.second_look_share:.0%} most doubtful pictures also its mean with the margin of the picture "
        "turned by half. `trust` is the reference: a logistic over agreement, mask evidence, margin and the agreement "
        "after the step. Each fold's logistic was fitted on the other folds. Network and indicator are reconstructions "
        "from abstracts (arXiv 2510.13226, 2604.19206)."
    )


def _primary(evaluation: Evaluation) -> str:
    plan = evaluation.plan
    title = f"## Primary endpoint: recall of misses at {plan.budget:.0%} of good groups diverted"
    parts = [title, words.endpoint_verdict(evaluation.findings.endpoint)]
    if evaluation.findings.endpoint is not None:
        parts.append(_table(("", ""), words.endpoint_rows(evaluation.findings.endpoint)))
    if evaluation.mixed_groups:
        parts.append(f"Groups with good and defective pictures: {', '.join(evaluation.mixed_groups)}. Without them:")
        endpoint = evaluation.without_mixed.endpoint if evaluation.without_mixed else None
        parts.append(words.endpoint_verdict(endpoint))
        if endpoint is not None:
            parts.append(_table(("", ""), words.endpoint_rows(endpoint)))
    return "\n\n".join(parts)


def _arms(study: StudyReport) -> str:
    arms = study.arms
    rows = []
    for arm in arms:
        mean, low, high = arm.image_ap
        masks = arm.masks
        figures = (
            ["–"] * 4  # noqa: RUF001 - a dash in a table
            if masks is None
            else [
                words.number(value)
                for value in (masks.seg_miou, masks.seg_recall, masks.pooled_iou, masks.two_class_pooled_miou)
            ]
        )
        rows.append([arm.tasks, f"{mean:.3f} ({low:.3f} to {high:.3f})", f"{arm.image_auroc:.3f}", *figures])
    columns = (
        "taught",
        "image AP, mean of folds (range)",
        "AUROC",
        "Seg_mIoU",
        "Seg_Recall",
        "pooled IoU",
        "two-class",
    )
    folds, pictures = arms[0].folds, arms[0].pictures
    steps = study.plan.ablation_steps or study.plan.options.steps
    extent = f"{folds} fold{'s' * (folds > 1)}, {steps} steps, {pictures} held-out pictures"
    title = f"### The two tasks, together and alone ({extent})\n\n"
    return title + _table(columns, rows)


def _rest(evaluation: Evaluation) -> str:
    findings = evaluation.findings
    chance = ", ".join(words.random_row(evaluation, findings))
    return "\n\n".join(
        [
            "### Verdict\n\n" + _table(("verdict", "", "evidence"), words.verdict_rows(findings)),
            "### Masks, taught both\n\n" + _table(("", ""), words.mask_rows(evaluation.masks)),
            "### Masks by class, taught both\n\n"
            + _table(
                ("class", "missed", "IoU", "Seg_Recall", "annotated", "evidence"), words.class_rows(evaluation.masks)
            ),
            "### Every ingredient and rival at equal load\n\n"
            + _table(words.score_headers(evaluation), words.score_rows(evaluation, findings)),
            f"A random ranking catches every group with probability {chance} at these budgets.",
            words.either_text(findings),
        ]
    )


def _heads(heads: RandomHeads | None) -> str:
    title = "### Does the trained head matter?\n\n"
    if heads is None:
        return title + "Nothing was missed: no comparison."
    verdict = "it does" if heads.passed else "no: random heads rank as well"
    return title + (
        f"AUROC of the agreement under the trained head {heads.trained:.3f}, 95th percentile of max(AUROC, 1 - AUROC) "
        f"over {heads.heads.size} random heads {heads.limit:.3f}: {verdict}. {heads.missed_pictures} missed pictures "
        f"in {heads.missed_groups} groups against {heads.passed_pictures} passed ones in {heads.passed_groups}."
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows))
