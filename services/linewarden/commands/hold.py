"""`linewarden hold add | list | release`: lots of which an archive keeps everything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from linewarden.commands.archive import Folder, KeyFile, writer_of
from linewarden.commands.context import actor, now_ms, show
from linewarden.commands.options import By, Json

app = typer.Typer(help="Legal holds: nothing of a lot is deleted until it is released.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why; it is recorded.")]
Lot = Annotated[str, typer.Argument(metavar="LOT")]


@app.command()
def add(folder: Folder, lot: Lot, reason: Reason, by: By = None, key_file: KeyFile = None) -> None:
    """Put a lot on hold. What was not archived before is not held: frames expire in their topic all the same."""
    from linewarden_archive.entries import LegalHold  # noqa: PLC0415 - as above

    with writer_of(folder, key_file) as writer:
        writer.enter(LegalHold(lot_id=lot, actor=actor(by), reason=reason, at_ms=now_ms()))
    typer.echo(f"{lot} is on hold")


@app.command()
def release(folder: Folder, lot: Lot, reason: Reason, by: By = None, key_file: KeyFile = None) -> None:
    """End a hold. Exits 1 where there is none."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - as above
    from linewarden_archive.entries import Released  # noqa: PLC0415

    with writer_of(folder, key_file) as writer:
        if lot not in Archive(folder).held_lots():
            typer.echo(f"{lot} is not on hold", err=True)
            raise typer.Exit(1)
        writer.enter(Released(lot_id=lot, actor=actor(by), reason=reason, at_ms=now_ms()))
    typer.echo(f"{lot} is released")


@app.command(name="list")
def list_(folder: Folder, as_json: Json = False) -> None:
    """List the lots on hold now, with who ordered it, when and why."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - as above

    rows = [
        {
            "lot": one.lot_id,
            "since": datetime.fromtimestamp(one.at_ms / 1000, UTC).isoformat(timespec="seconds"),
            "by": one.actor,
            "reason": one.reason,
        }
        for one in Archive(folder).held_lots().values()
    ]
    show(rows, as_json=as_json, empty="no lot is on hold")
