"""What the demo shows: a live panel while the line runs, and the table at the end."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from linewarden.demo.figures import Figures
from linewarden_audit.summary import percentile
from linewarden_schemas.vocabulary import Routing, Verdict


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
        """The panel as the figures are now; `elapsed_s` since the first frame."""
        self._progress.update(self._task, completed=len(figures.routings))
        lines = Table.grid(padding=(0, 3))
        rate = len(figures.routings) / elapsed_s if elapsed_s > 0 else 0.0
        verdicts, passes = figures.verdicts, figures.routed(Routing.TRUSTED_PASS)
        undecided = str(verdicts[Verdict.NOT_DECIDABLE])
        p99 = percentile(sorted(figures.latencies_ms), 0.99)
        waiting = f"[yellow]{len(figures.open_slots)}[/yellow]" + ("" if p99 is None else f"   (p99 {p99:.0f} ms)")
        lines.add_row("parts/s", f"{rate:.1f}", "frames OK", str(verdicts[Verdict.OK]))
        lines.add_row("trusted pass", f"[green]{passes}[/green]", "frames NG", f"[red]{verdicts[Verdict.NG]}[/red]")
        lines.add_row("rejected", str(figures.routed(Routing.REJECTED)), "not decidable", undecided)
        lines.add_row("diverted", str(figures.routed(Routing.DIVERTED)), "waiting for people", waiting)
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
    p50, p99, alone = summary["latency_ms"]["p50"], summary["latency_ms"]["p99"], summary["model_only_frames_per_s"]
    table.add_row("capture to routing, p50 / p99", "-" if None in {p50, p99} else f"{p50:.0f} / {p99:.0f} ms")
    line = summary["frames_per_s"]
    speed = " / ".join(("-" if line is None else f"{line:.1f}", "-" if alone is None else f"{alone:.0f}"))
    table.add_row("frames/s, line / network alone", speed)
    open_ends = ", ".join(f"{name} {count}" for name, count in summary["balance"].items() if name != "closes")
    closes, open_ = "[green]closes[/green]", f"[red bold]DOES NOT CLOSE[/red bold]: {open_ends}"
    table.add_row("balance", closes if summary["balance"]["closes"] else open_)
    table.add_row("alarms that stand", ", ".join(summary["alarms"]["standing"]) or "none")
    gate = summary.get("gate")
    if gate is not None:
        table.add_row("bins of the gate", ", ".join(f"{name} {count}" for name, count in gate["bins"].items()))
        bins = ", ".join(f"{name} {count}" for name, count in gate["opcua"]["bins"].items())
        table.add_row("bins of the gate over OPC UA", bins)
        late = (gate["passes_too_late"], gate["opcua"]["passes_too_late"])
        table.add_row("passes that came too late for the gates", ", ".join(map(str, late)))
        wrong = [*gate["wrong"], *gate["opcua"]["wrong"]]
        table.add_row("bins hold what the dispositions say", _exactly(wrong))
        reports = gate["acts"]
        table.add_row("actuations say where the parts lie", _exactly([*reports["wrong"], *reports["unreported"]]))
    truth = summary["truth"]
    if truth is None:
        table.add_row("truth", "unknown for these pictures")
        return table
    share = truth["diversion_rate_of_passes"]
    table.add_row("defective visits (known truth, chosen ones left out)", str(truth["defective"]))
    table.add_row("misses, network alone", str(truth["misses_without_trust"]))
    table.add_row("misses passed, with trust", str(truth["misses_passed"]))
    threshold = str(truth["misses_by_threshold_at_same_diversion"])
    table.add_row("misses passed, lower threshold, same diversion", threshold)
    table.add_row("diverted of network's passes (trust, audit)", "-" if share is None else f"{share:.1%}")
    return table


def _exactly(wrong: list[str]) -> str:
    return f"[red bold]NO[/red bold]: {', '.join(wrong[:20])}" if wrong else "[green]exactly[/green]"
