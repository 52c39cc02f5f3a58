"""`linewarden topics`: make the topics of the catalogue, and look at them."""

from __future__ import annotations

from typing import Annotated

import typer

from .context import context, show

app = typer.Typer(help="Topics of the catalogue on the broker.", no_args_is_help=True)


@app.command()
def create(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of the topics keyed by visit.")] = 12,
    replication: Annotated[int, typer.Option(min=1, help="Replicas of each topic.")] = 1,
) -> None:
    """Make the topics that are missing; those that exist stay as they are."""
    from linewarden_runtime.provision import provision_topics  # noqa: PLC0415

    here = context()
    with here.broker.admin() as admin:
        made = provision_topics(admin, here.namespace, partitions, replication)
    typer.echo(f"{len(made)} topics made" + (f": {', '.join(made)}" if made else "; all were there"))


@app.command(name="list")
def list_(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show every topic of the catalogue, and whether the broker has it."""
    from linewarden_schemas.topics import CATALOGUE  # noqa: PLC0415

    here = context()
    with here.broker.admin() as admin:
        there = admin.topics()
    rows = [
        {
            "topic": here.namespace.topic(topic.name),
            "there": "yes" if here.namespace.topic(topic.name) in there else "NO: linewarden topics create",
            "key": topic.key,
            "kept": topic.cleanup.value,
            "written by": ", ".join(topic.written_by),
            "what": topic.purpose,
        }
        for topic in CATALOGUE.values()
    ]
    show(rows, as_json=as_json, empty="the catalogue is empty")
