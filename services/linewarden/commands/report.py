"""`linewarden report shift`: what a line made, what was wrong with it, and when it did not run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from linewarden.commands.context import connect, show_table
from linewarden.commands.options import (
    Begin,
    Csv,
    End,
    Json,
    Line,
    Page,
    Simulated,
    StoredReport,
    in_words,
    parse_end,
    parse_time,
)
from linewarden.commands.problem import problem

WITH_INTERVAL = ("", "", "95 % interval")

app = typer.Typer(help="Reports over recorded topics; nothing is written to any.", no_args_is_help=True)
app.command()(problem)


@app.command()
def shift(
    begin: Begin = "",
    end: End = "",
    line: Line = None,
    name: Annotated[
        str | None, typer.Option("--shift", help="As line state names it; without --from its newest run.")
    ] = None,
    subgroup_min: Annotated[int, typer.Option(min=1, help="Minutes of one subgroup of the p-chart.")] = 60,
    simulated: Simulated = False,
    page: Page = None,
    csv: Csv = None,
    from_json: StoredReport = None,
    as_json: Json = False,
) -> None:
    """First-pass yield, Pareto, p-chart, map of defects, downtime, bypass and checks. The last 24 hours by default.

    Only what was captured in production counts. Overkill is estimated from reviewed rejects alone.
    """
    from linewarden_history.reports.rendering import lasted, read_stored  # noqa: PLC0415 - nothing heavy before its need
    from linewarden_history.shifts.page import as_csv  # noqa: PLC0415
    from linewarden_history.shifts.page import page as draw  # noqa: PLC0415
    from linewarden_history.shifts.report import report  # noqa: PLC0415
    from linewarden_history.shifts.tally import Scope  # noqa: PLC0415

    with in_words():
        if from_json is not None:
            document = read_stored(from_json, "linewarden.shift-report.v1")
        else:
            here = connect()
            until = parse_end(end)
            scope = Scope(name, simulated, subgroup_min * 60_000)
            since = parse_time(begin) if begin else None
            document = report(here.broker, here.namespace, scope, from_ms=since, to_ms=until, line_id=line)
    rows = [*rate_rows(document)]
    times = document["time_ms"] if document["periods"] else {}
    rows += [(what, lasted(times[what]) if times else "not told", "") for what in ("stopped", "bypass")]
    for by, found in document["pareto"].items():
        rows += [(f"most, by {by}", ", ".join(f"{row['name']} {row['count']}" for row in found[:3]), "")]
    rows += [("left out", ", ".join(f"{n} {why}" for why, n in document["left_out"].items()), "")]
    title = f"{document['visits']} visits in production"
    deliver(document, ((page, draw), (csv, as_csv)), WITH_INTERVAL, rows, title, as_json=as_json)


def rate_rows(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The rates of a report: name, value with its counts, and the 95 % interval."""
    from linewarden_history.reports.rendering import percent  # noqa: PLC0415

    for one in document["rates"]:
        interval = f"{percent(one['low'])} to {percent(one['high'])}" if one["of"] else "no evidence"
        yield one["name"], f"{percent(one['value'])} ({one['count']} of {one['of']})", interval


def deliver(
    document: dict[str, Any],
    files: Iterable[tuple[Path | None, Callable[[dict[str, Any]], str]]],
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str = "",
    below: str = "",
    *,
    as_json: bool,
) -> None:
    """Write a report into the files that are wanted, and print it: whole for programs, or as rows for people."""
    written = [(path, draw) for path, draw in files if path is not None]
    for path, draw in written:
        path.write_text(draw(document), encoding="utf-8")
    if as_json:
        from linewarden_history.reports.rendering import as_json as stored  # noqa: PLC0415

        typer.echo(stored(document), nl=False)
        return
    show_table(columns, rows, title)
    if below:
        typer.echo(below)
    for path, _ in written:
        typer.echo(f"written: {path}")
