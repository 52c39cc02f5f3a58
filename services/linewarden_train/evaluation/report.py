"""The comparison in a table for people and in words for the card."""

from rich.table import Table

from linewarden_train.evaluation.comparison import Comparison


def as_table(comparison: Comparison) -> Table:
    """Lay out counts; each rate names its denominator."""
    table = Table(title="Report set: synthetic parts, seen once", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("of", justify="right")
    table.add_column("rate", justify="right")
    for what, count, of in _lines(comparison):
        table.add_row(what, str(count), str(of), f"{count / of:.1%}" if of else "no evidence")
    table.add_row("misses a coin would divert at the same load", f"{comparison.expected_by_chance:.1f}", "", "")
    table.caption = _paired(comparison)
    return table


def in_words(comparison: Comparison) -> list[str]:
    """Return one sentence per count, for the card's notes."""
    counted = [f"{what}: {count} of {of}" for what, count, of in _lines(comparison)]
    return ["synthetic parts only; says nothing about real ones", *counted, _paired(comparison)]


def _lines(comparison: Comparison) -> list[tuple[str, int, int]]:
    fixed = [
        ("good parts called NG (overkill)", comparison.overkill, comparison.good),
        ("defective parts missed by the threshold", comparison.missed, comparison.defective),
        ("passed good parts diverted", comparison.good_diverted, comparison.good_passed),
        ("misses caught by trust", comparison.caught, comparison.missed),
    ]
    names = {"margin": "misses caught by lowering the threshold, same load"}
    rivals = [
        (names.get(rival.name, f"misses caught by {rival.name} alone, same load"), rival.caught, comparison.missed)
        for rival in comparison.rivals
    ]
    return fixed + rivals


def _paired(comparison: Comparison) -> str:
    return (
        f"misses caught by trust only: {comparison.only_trust}, by lowering the threshold only: "
        f"{comparison.only_margin}; exact paired test p = {comparison.p_value:.2g}"
    )
