"""What the demo shows: a live panel while the line runs, and the table at the end."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from linewarden_audit.summary import percentile
from linewarden_schemas.vocabulary import Routing, Verdict

from .figures import Figures


class Screen:
    """Renders the figures; the progress bar is there where the number of visits is known."""

    def __init__(self, station: str, total: int | None) -> None:
        self._station = station
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=40),
            TextColumn("{task.completed:.0f}" + (f" of {total}" if total else "")),
            TimeElapsedColumn(),
        )
        self._task = self._progress.add_task("visits routed", total=total)

    def render(self, figures: Figures, elapsed_s: float) -> Panel:
        """One picture of now."""
        self._progress.update(self._task, completed=len(figures.routings))
        lines = Table.grid(padding=(0, 3))
        rate = len(figures.routings) / elapsed_s if elapsed_s > 0 else 0.0
        lines.add_row("parts/s", f"{rate:.1f}", "frames OK", str(figures.verdicts[Verdict.OK]))
        lines.add_row("trusted pass", _green(figures.routed(Routing.TRUSTED_PASS)), "frames NG", _ng(figures))
        lines.add_row("rejected", str(figures.routed(Routing.REJECTED)), "not decidable", _undecided(figures))
        lines.add_row("diverted", str(figures.routed(Routing.DIVERTED)), "waiting for people", _waiting(figures))
        lines.add_row("lag (frames)", str(figures.lag), "dead letters", str(figures.dead_letters))
        where = Text.assemble("station  ", (self._station, "bold cyan underline"), "   Ctrl-C ends the shift")
        return Panel(Group(self._progress, lines, where), title="linewarden", border_style="cyan")


def final_table(summary: dict[str, Any]) -> Table:
    """The end of the shift in one table."""
    table = Table(title="End of the shift", show_header=False, title_style="bold")
    table.add_column(style="bold")
    table.add_column(justify="right")
    for label, key in (
        ("visits captured", "visits"),
        ("frames captured", "frames"),
        ("trusted passes", "trusted_pass"),
        ("rejected", "rejected"),
        ("diverted", "diverted"),
        ("waiting for people", "waiting"),
        ("dead letters", "dead_letters"),
    ):
        table.add_row(label, str(summary[key]))
    causes = ", ".join(f"{cause} {count}" for cause, count in sorted(summary["diverted_by_cause"].items()))
    table.add_row("diverted by cause", causes or "-")
    table.add_row("capture to routing, p50 / p99", _latency(summary["latency_ms"]))
    table.add_row("frames/s, line / network alone", _speed(summary))
    table.add_row("balance", _balance(summary["balance"]))
    for label, value in _truth_rows(summary["truth"]):
        table.add_row(label, value)
    return table


def _truth_rows(truth: dict[str, Any] | None) -> list[tuple[str, str]]:
    if truth is None:
        return [("truth", "unknown for these pictures")]
    defective = truth["defective"]
    share = truth["diversion_rate_of_passes"]
    return [
        ("defective visits (known truth)", str(defective)),
        ("misses, network alone", str(truth["misses_without_trust"])),
        ("misses passed, with trust", str(truth["misses_passed"])),
        ("misses passed, lower threshold, same diversion", str(truth["misses_by_threshold_at_same_diversion"])),
        ("diverted of network's passes (trust, audit)", "-" if share is None else f"{share:.1%}"),
    ]


def _latency(latency: dict[str, float | None]) -> str:
    p50, p99 = latency["p50"], latency["p99"]
    return "-" if p50 is None or p99 is None else f"{p50:.0f} / {p99:.0f} ms"


def _speed(summary: dict[str, Any]) -> str:
    alone = summary["model_only_frames_per_s"]
    return f"{summary['frames_per_s']:.1f} / {'-' if alone is None else f'{alone:.0f}'}"


def _balance(balance: dict[str, Any]) -> str:
    if balance["closes"]:
        return "[green]closes[/green]"
    open_ends = ", ".join(f"{name} {count}" for name, count in balance.items() if name != "closes")
    return f"[red bold]DOES NOT CLOSE[/red bold]: {open_ends}"


def _green(count: int) -> str:
    return f"[green]{count}[/green]"


def _ng(figures: Figures) -> str:
    return f"[red]{figures.verdicts[Verdict.NG]}[/red]"


def _undecided(figures: Figures) -> str:
    return str(figures.verdicts[Verdict.NOT_DECIDABLE])


def _waiting(figures: Figures) -> str:
    p99 = percentile(sorted(figures.latencies_ms), 0.99)
    return f"[yellow]{len(figures.open_slots)}[/yellow]" + (f"   (p99 {p99:.0f} ms)" if p99 is not None else "")
