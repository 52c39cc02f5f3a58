"""`linewarden queue`: the re-inspection queue in Redis, a view that can be built again at any time."""

from __future__ import annotations

import typer

app = typer.Typer(help="The re-inspection queue.", no_args_is_help=True)


@app.command()
def rebuild() -> None:
    """Throw the view in Redis away and build it again from the topic; claims are lost, parts are not."""
    from linewarden_reinspect.bootstrap import rebuild_queue  # noqa: PLC0415

    count = rebuild_queue()
    typer.echo(f"the queue is built again from {count} records")
