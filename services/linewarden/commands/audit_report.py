"""`linewarden audit report`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from linewarden.commands import recorded
from linewarden.commands.context import now_ms
from linewarden.commands.notary import PublicKeys
from linewarden.commands.options import Begin, End, Json, Line, Page, Simulated, in_words, parse_end, parse_time
from linewarden.commands.report import WITH_INTERVAL, deliver, rate_rows
from linewarden_runtime.files import writable_file


def report(
    begin: Begin = "",
    end: End = "",
    line: Line = None,
    page: Page = None,
    out: Annotated[
        Path | None, typer.Option(callback=writable_file, metavar="JSON", help="The report to store.")
    ] = None,
    public_key: PublicKeys = None,
    bundles: Annotated[
        Path | None, typer.Option(help="Folder of bundle folders: stages and qualification.", exists=True)
    ] = None,
    rerun: Annotated[
        Path | None, typer.Option(help="Stored result of 'replay --json'.", exists=True, dir_okay=False)
    ] = None,
    simulated: Simulated = False,
    from_json: Annotated[
        Path | None, typer.Option(help="Make the page of a stored report instead.", exists=True, dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one page on what was decided in a range, and how far it can be relied on. The last 24 hours by default.

    Exits 1 where the balance does not close, the chain does not hold or closed periods do not follow on each other.
    """
    from linewarden_audit.report.report import SCHEMA, AuditRequest  # noqa: PLC0415
    from linewarden_audit.report.report import page as draw  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_audit.report.report import report as make  # noqa: PLC0415
    from linewarden_history.reports.rendering import as_json as stored  # noqa: PLC0415
    from linewarden_history.reports.rendering import read_stored  # noqa: PLC0415
    from linewarden_history.selection import Selection  # noqa: PLC0415

    with in_words():
        if from_json is not None:
            document = read_stored(from_json, SCHEMA)
        else:
            broker, namespace = recorded.live()
            at_ms = now_ms()
            to_ms = parse_end(end) if end else at_ms
            stretch = Selection(parse_time(begin) if begin else max(0, to_ms - 86_400_000), to_ms, line)
            look = None
            if bundles is not None:
                from linewarden_replay.standing import standing_of  # noqa: PLC0415 - brings torch

                look = partial(standing_of, bundles, datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat())
            document = make(broker, namespace, AuditRequest(stretch, at_ms, public_key or [], look, rerun, simulated))
    title = f"{document['production']} visits in production"
    deliver(document, ((page, draw), (out, stored)), WITH_INTERVAL, _rows(document), title, as_json=as_json)
    holds = document["balance"]["closes"] and document["notary"]["holds"] and document["periods"]["broken"] is None
    raise typer.Exit(0 if holds else 1)


def _rows(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    notary, periods = document["notary"], document["periods"]
    known = "" if notary["proven"] else " (keys as the heads name them: not proven)"
    chain = f"holds, {notary['heads']} heads{known}" if notary["heads"] else "nothing was sealed by a notary"
    if not notary["holds"]:
        chain = f"IS BROKEN, {notary['heads']} heads{known}" if notary["heads"] else "IS BROKEN"
    yield "balance", "closes" if document["balance"]["closes"] else "DOES NOT CLOSE", ""
    yield "chain", chain, ""
    yield "closed periods", periods["broken"] or str(periods["closed"]), ""
    yield "escapes reported", str(document["escapes"]["visits"]), ""
    yield from rate_rows(document)
