"""An evaluation on the terminal: the primary endpoint, then, clearly parted, what is exploratory."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from linewarden_train.evaluation import words
from linewarden_train.evaluation.results import Evaluation, Findings


def show(evaluation: Evaluation, console: Console) -> None:
    """Print everything; the width of the terminal decides what wraps."""
    plan = evaluation.plan
    title = f"Primary endpoint: recall of misses at {plan.budget:.0%} of good groups diverted"
    console.print(Rule(f"{title} (fixed beforehand)", align="left"))
    _endpoint(evaluation.findings, console)
    if evaluation.mixed_groups:
        console.print(f"groups with good and defective pictures: {words.some(evaluation.mixed_groups, 10)}")
        console.print("without them:")
        if evaluation.without_mixed is None:
            console.print("  no good and defective pictures are left; above, each counts by its own label")
        else:
            _endpoint(evaluation.without_mixed, console)
    console.print(Rule("Exploratory: nothing below is a claim", align="left"))
    _rows(console, ("verdict", "", "evidence"), words.verdict_rows(evaluation.findings))
    point = evaluation.operating
    if point is not None:
        console.print(
            f"at the bundle's own thresholds: {words.percent(point.diverted_share_of_good)} of good groups diverted, "
            f"{words.percent(point.recall)} of misses caught, "
            f"trusted_pass_rate_of_defects {words.percent(point.trusted_pass_rate_of_defects)}"
        )
    if evaluation.findings.endpoint is not None:
        _scores(evaluation, console)
    masks = evaluation.masks
    console.print(Rule(f"Masks, {words.size_text(masks.size)}; {masks.unannotated} without annotation", align="left"))
    _rows(console, ("metric", "value"), words.mask_rows(masks))
    headers = ("class", "miss rate", "defect IoU", "Seg_Recall", "annotated", "evidence")
    _rows(console, headers, words.class_rows(masks))
    if evaluation.classes is not None:
        console.print(Rule(f"Classes of {evaluation.classes.how}", align="left"))
        _rows(console, words.confusion_headers(evaluation.classes), words.confusion_rows(evaluation.classes))
    for note in evaluation.notes:
        console.print(note)


def _endpoint(findings: Findings, console: Console) -> None:
    if findings.endpoint is not None:
        _rows(console, ("", ""), words.endpoint_rows(findings.endpoint))
    console.print(words.endpoint_verdict(findings.endpoint))


def _scores(evaluation: Evaluation, console: Console) -> None:
    """Print recalls first, then loads and areas: one table of all would not fit a terminal."""
    headers, rows = words.score_headers(evaluation), words.score_rows(evaluation, evaluation.findings)
    cut = headers.index("load for 95 %")
    _rows(console, headers[:cut], [row[:cut] for row in rows])
    _rows(console, [headers[0], *headers[cut:]], [[row[0], *row[cut:]] for row in rows])
    chance = words.random_row(evaluation, evaluation.findings)
    console.print(f"a random ranking catches every group with probability {', '.join(chance)} at these budgets")
    console.print(words.either_text(evaluation.findings))


def _rows(console: Console, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*headers, show_header=any(headers), title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
