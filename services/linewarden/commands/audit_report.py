"""`linewarden audit report`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from linewarden.commands.choice import in_words, parse_time
from linewarden_runtime.files import writable_file

_DAY_MS = 86_400_000


def report(
    begin: Annotated[str, typer.Option("--from", help="Captured from then on: ISO 8601 or epoch ms.")] = "",
    end: Annotated[str, typer.Option("--to", help="Captured up to then; now by default.")] = "",
    line: Annotated[str | None, typer.Option(help="One line of the namespace; all by default.")] = None,
    page: Annotated[
        Path | None, typer.Option(callback=writable_file, metavar="HTML", help="The report as one page.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(callback=writable_file, metavar="JSON", help="The report to store.")
    ] = None,
    public_key: Annotated[
        list[str] | None, typer.Option("--public-key", help="A key of the notary that is trusted; may be repeated.")
    ] = None,
    bundles: Annotated[
        Path | None, typer.Option(help="Folder of bundle folders: stages and qualification.", exists=True)
    ] = None,
    rerun: Annotated[
        Path | None, typer.Option(help="Stored result of 'replay --json'.", exists=True, dir_okay=False)
    ] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Also what a simulated line made.")] = False,
    from_json: Annotated[
        Path | None, typer.Option(help="Make the page of a stored report instead.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as one JSON document.")] = False,
) -> None:
    """Write one page on what was decided in a range, and how far it can be relied on. The last 24 hours by default.

    Exits 1 where the balance does not close, the chain does not hold or closed periods do not follow on each other.
    """
    from linewarden_audit.report.report import SCHEMA  # noqa: PLC0415 - as above
    from linewarden_history.reports.rendering import as_json as stored  # noqa: PLC0415 - nothing heavy before its need
    from linewarden_history.reports.rendering import read_stored  # noqa: PLC0415

    with in_words():
        document = (
            _read(begin, end, line, public_key or [], bundles, rerun, simulated=simulated)
            if from_json is None
            else read_stored(from_json, SCHEMA)
        )
    if page is not None:
        from linewarden_audit.report.report import page as draw  # noqa: PLC0415 - as above

        page.write_text(draw(document), encoding="utf-8")
    if out is not None:
        out.write_text(stored(document), encoding="utf-8")
    if as_json:
        typer.echo(stored(document), nl=False)
    else:
        _tell(document, [one for one in (page, out) if one is not None])
    holds = document["balance"]["closes"] and document["notary"]["holds"] and document["periods"]["broken"] is None
    raise typer.Exit(0 if holds else 1)


def _read(
    begin: str,
    end: str,
    line: str | None,
    keys: list[str],
    bundles: Path | None,
    rerun: Path | None,
    *,
    simulated: bool,
) -> dict[str, Any]:
    from linewarden.commands.recorded import live  # noqa: PLC0415 - as above
    from linewarden_audit.report.report import Audit  # noqa: PLC0415
    from linewarden_audit.report.report import report as make  # noqa: PLC0415
    from linewarden_history.selection import Selection  # noqa: PLC0415

    broker, namespace = live()
    now_ms = time.time_ns() // 1_000_000
    to_ms = parse_time(end) if end else now_ms
    stretch = Selection(parse_time(begin) if begin else max(0, to_ms - _DAY_MS), to_ms, line)
    look = None if bundles is None else _look(bundles, now_ms)
    return make(broker, namespace, Audit(stretch, now_ms, keys, look, rerun, simulated))


def _look(bundles: Path, now_ms: int) -> Callable[[str], Mapping[str, Any]]:
    from linewarden_replay.standing import standing_of  # noqa: PLC0415 - brings torch, which a look at topics needs not

    return partial(standing_of, bundles, datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat())


def _tell(document: dict[str, Any], written: list[Path]) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    from linewarden_history.reports.rendering import percent  # noqa: PLC0415

    balance, notary = document["balance"], document["notary"]
    table = Table(title=f"{document['production']} visits in production")
    for header in ("", "", "95 % interval"):
        table.add_column(header, overflow="fold")
    table.add_row("balance", "closes" if balance["closes"] else "DOES NOT CLOSE", "")
    table.add_row("chain", _chain(notary), "")
    table.add_row("closed periods", document["periods"]["broken"] or str(document["periods"]["closed"]), "")
    table.add_row("escapes reported", str(document["escapes"]["visits"]), "")
    for one in document["rates"]:
        interval = f"{percent(one['low'])} to {percent(one['high'])}" if one["of"] else "no evidence"
        table.add_row(one["name"], f"{percent(one['value'])} ({one['count']} of {one['of']})", interval)
    Console().print(table)
    for path in written:
        typer.echo(f"written: {path}")


def _chain(notary: dict[str, Any]) -> str:
    if not notary["heads"]:
        return "nothing was sealed by a notary" if notary["holds"] else "IS BROKEN"
    known = "" if notary["proven"] else " (keys as the heads name them: not proven)"
    return f"{'holds' if notary['holds'] else 'IS BROKEN'}, {notary['heads']} heads{known}"
