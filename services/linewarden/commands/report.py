"""`linewarden report shift`: what a line made, what was wrong with it, and when it did not run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from linewarden.commands.choice import in_words, parse_time
from linewarden_runtime.files import writable_file

from .context import context, now_ms

app = typer.Typer(help="Reports over recorded topics; nothing is written to any.", no_args_is_help=True)


@app.callback()
def reports() -> None:
    """Keep `shift` a subcommand while it is the only one."""


@app.command()
def shift(
    begin: Annotated[str, typer.Option("--from", help="Captured from then on: ISO 8601 or epoch ms.")] = "",
    end: Annotated[str, typer.Option("--to", help="Captured up to then; now by default.")] = "",
    line: Annotated[str | None, typer.Option(help="One line of the namespace; all by default.")] = None,
    name: Annotated[
        str | None, typer.Option("--shift", help="As line state names it; without --from its newest run.")
    ] = None,
    subgroup_min: Annotated[int, typer.Option(min=1, help="Minutes of one subgroup of the p-chart.")] = 60,
    simulated: Annotated[bool, typer.Option("--simulated", help="Also what a simulated line made.")] = False,
    page: Annotated[
        Path | None, typer.Option(callback=writable_file, metavar="HTML", help="The report as one page.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(callback=writable_file, metavar="CSV", help="The report as a table.")
    ] = None,
    from_json: Annotated[
        Path | None, typer.Option(help="Make page and table of a stored report instead.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as one JSON document.")] = False,
) -> None:
    """First-pass yield, Pareto, p-chart, map of defects, downtime, bypass and checks. The last 24 hours by default.

    Only what was captured in production counts. Overkill is estimated from reviewed rejects alone.
    """
    from linewarden_history.reports.rendering import as_json as stored  # noqa: PLC0415 - nothing heavy before its need
    from linewarden_history.reports.rendering import read_stored  # noqa: PLC0415
    from linewarden_history.shifts.page import as_csv  # noqa: PLC0415
    from linewarden_history.shifts.page import page as draw  # noqa: PLC0415

    with in_words():
        document = (
            _read(begin, end, line, name, subgroup_min, simulated=simulated)
            if from_json is None
            else read_stored(from_json, "linewarden.shift-report.v1")
        )
    if page is not None:
        page.write_text(draw(document), encoding="utf-8")
    if csv is not None:
        csv.write_text(as_csv(document), encoding="utf-8")
    if as_json:
        typer.echo(stored(document), nl=False)
    else:
        _tell(document, [one for one in (page, csv) if one is not None])


def _read(
    begin: str, end: str, line: str | None, name: str | None, subgroup_min: int, *, simulated: bool
) -> dict[str, Any]:
    from linewarden_history.shifts.report import report  # noqa: PLC0415
    from linewarden_history.shifts.tally import Scope  # noqa: PLC0415

    where = context()
    until = parse_time(end) if end else now_ms()
    scope = Scope(name, simulated, subgroup_min * 60_000)
    since = parse_time(begin) if begin else None
    return report(where.broker, where.namespace, scope, from_ms=since, to_ms=until, line_id=line)


def _tell(document: dict[str, Any], written: list[Path]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from linewarden_history.reports.rendering import lasted, percent  # noqa: PLC0415

    table = Table(title=f"{document['visits']} visits in production")
    for header in ("", "", "95 % interval"):
        table.add_column(header, overflow="fold")
    for one in document["rates"]:
        interval = f"{percent(one['low'])} to {percent(one['high'])}" if one["of"] else "no evidence"
        table.add_row(one["name"], f"{percent(one['value'])} ({one['count']} of {one['of']})", interval)
    for name in ("stopped", "bypass"):
        table.add_row(name, lasted(document["time_ms"][name]) if document["periods"] else "not told", "")
    for by, rows in document["pareto"].items():
        table.add_row(f"most, by {by}", ", ".join(f"{row['name']} {row['count']}" for row in rows[:3]), "")
    table.add_row("left out", ", ".join(f"{n} {why}" for why, n in document["left_out"].items()), "")
    Console().print(table)
    for path in written:
        typer.echo(f"written: {path}")
