"""`linewarden escape`: parts found defective after they had left, as the field reports them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import SOURCE, Connection, actor, connect, now_ms, publish, show
from linewarden.commands.options import DEFAULT_INDEX, By, Index, Json, in_words, opened_index

if TYPE_CHECKING:
    from linewarden_history.index.story import Reported
    from linewarden_schemas.escape import Escape

app = typer.Typer(help="Escapes reported from the field, by serial.", no_args_is_help=True)


@app.command()
def report(
    serial: Annotated[str, typer.Option(help="Of the part that escaped.")],
    defect: Annotated[str, typer.Option(help="Class of the defect.")],
    found_at: Annotated[str, typer.Option(help="Where: a customer, a later process, a test bench.")],
    when: Annotated[str, typer.Option(help="When it was found: 2026-01-31, 14:00, -2h; now by default.")] = "",
    by: By = None,
    visit: Annotated[str, typer.Option(help="The visit that let it go, where that is known.")] = "",
    reference: Annotated[str, typer.Option(help="Number of the complaint.")] = "",
    comment: Annotated[str, typer.Option(help="In words.")] = "",
    index: Index = DEFAULT_INDEX,
    as_json: Json = False,
) -> None:
    """Report one part. It is kept whatever is known of its serial; exits 1 where no visit fits yet."""
    from linewarden_history.escapes import escape_of  # noqa: PLC0415 - nothing heavy before its need

    at_ms = now_ms()
    row = {"serial": serial, "defect": defect, "found_at": found_at, "when": when or str(at_ms), "visit": visit}
    with in_words():
        told = escape_of(row | {"reference": reference, "comment": comment}, actor(by), at_ms)
    _publish(connect(), [told], index, as_json=as_json)


@app.command(name="import")
def import_(
    table: Annotated[Path, typer.Argument(help="CSV: serial, defect, found_at, when, ...", exists=True)],
    by: By = None,
    index: Index = DEFAULT_INDEX,
    as_json: Json = False,
) -> None:
    """Report a table of parts, all of it or nothing. Importing it again changes nothing, also where one was withdrawn.

    It may also have the columns visit, reference, comment and by. Exits 1 where no visit fits a serial yet.
    """
    from linewarden_history.escapes import read_table  # noqa: PLC0415 - as above

    with in_words():
        told = read_table(table, actor(by), now_ms())
    here = connect()
    known = {one.escape.escape_id for one in _known(here, index, hidden=as_json)}
    _publish(here, told, index, known, as_json=as_json)


@app.command()
def withdraw(
    escape_id: Annotated[str, typer.Argument(help="As 'escape list' names it.")],
    reason: Annotated[str, typer.Option(help="Why it was no escape.")],
    by: By = None,
    index: Index = DEFAULT_INDEX,
) -> None:
    """Take back a report that was a mistake: it counts nowhere from then on, and stays in the story."""
    from linewarden_history.escapes import escape_record  # noqa: PLC0415 - as above

    here = connect()
    known = next((one for one in _known(here, index) if one.escape.escape_id == escape_id), None)
    if known is None:
        raise typer.BadParameter(f"no escape {escape_id} is known; see: linewarden escape list")
    told = {"withdrawn": True, "comment": reason, "reported_by": actor(by), "reported_ms": now_ms()}
    publish(here.broker, [escape_record(here.namespace, known.escape.model_copy(update=told), SOURCE)])
    typer.echo(f"{escape_id} is withdrawn")


@app.command(name="list")
def list_(index: Index = DEFAULT_INDEX, as_json: Json = False) -> None:
    """List what was reported, with the visit that let each part go."""
    _show(list(_known(connect(), index, hidden=as_json)), as_json=as_json)


def _publish(
    here: Connection, told: Sequence[Escape], index: Path, known: Collection[str] = (), *, as_json: bool
) -> None:
    from linewarden_history.escapes import escape_record  # noqa: PLC0415 - as above

    publish(
        here.broker,
        (escape_record(here.namespace, one, SOURCE) for one in told if one.escape_id not in known),
    )
    reported = {one.escape_id for one in told}
    kept = [one for one in _known(here, index, hidden=as_json) if one.escape.escape_id in reported]
    _show(kept, as_json=as_json)
    loose = [one for one in kept if one.visit_id is None and not one.escape.withdrawn]
    for one in loose:
        typer.echo(f"kept without a visit, {one.escape.part_id} is in none captured before the finding", err=True)
    raise typer.Exit(1 if loose else 0)


def _known(here: Connection, index: Path, *, hidden: bool = False) -> list[Reported]:
    from linewarden_history.index.story import all_reports  # noqa: PLC0415 - as above

    with opened_index(index, lambda: (here.broker, here.namespace), hidden=hidden) as opened:
        return list(all_reports(opened))


def _show(reports: Sequence[Reported], *, as_json: bool) -> None:
    from linewarden_history.reports.rendering import when as moment  # noqa: PLC0415 - as above

    rows = [
        {
            "escape": one.escape.escape_id,
            "serial": one.escape.part_id,
            "defect": one.escape.defect_class,
            "found at": one.escape.found_at,
            "when": moment(one.escape.found_ms),
            "by": one.escape.reported_by,
            "let go by": "withdrawn" if one.escape.withdrawn else one.visit_id or "no visit fits",
        }
        for one in reports
    ]
    told = [one.as_dict() for one in reports] if as_json else rows
    show(told, as_json=as_json, empty="no escape was reported")
