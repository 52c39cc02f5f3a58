"""`linewarden topics`: make the topics of the catalogue, and look at them."""

from __future__ import annotations

from typing import Annotated

import typer

from linewarden.commands.context import connect, show
from linewarden.commands.options import Json

app = typer.Typer(help="Topics of the catalogue on the broker.", no_args_is_help=True)


@app.command()
def create(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of the topics keyed by visit.")] = 12,
    replication: Annotated[int, typer.Option(min=1, help="Replicas of each topic.")] = 1,
    update: Annotated[bool, typer.Option(help="Also set those that exist as the catalogue says.")] = False,
) -> None:
    """Make the topics that are missing; those that exist stay as they are, unless they are to be updated."""
    from linewarden_runtime.provision import provision_topics  # noqa: PLC0415
    from linewarden_runtime.topic_settings import deviations  # noqa: PLC0415
    from linewarden_schemas.topics import CATALOGUE  # noqa: PLC0415

    here = connect()
    with here.broker.admin() as admin:
        made = provision_topics(admin, here.namespace, partitions, replication)
        found = deviations(admin, here.namespace, CATALOGUE, stamps=here.broker.append_time) if update else []
        for one in found:
            if one.setting != "partitions":
                admin.configure(one.topic, {one.setting: one.wanted})
                typer.echo(f"{one.topic}: {one.setting} was {one.found} and is {one.wanted} now")
    typer.echo(f"{len(made)} topics made" + (f": {', '.join(made)}" if made else "; all were there"))


@app.command()
def provision(
    group: Annotated[str, typer.Argument(help="The group, e.g. route.")],
    topics: Annotated[list[str], typer.Argument(help="The topics that it reads, e.g. captures inspections decisions.")],
) -> None:
    """Begin where the oldest records are, wherever a group without members has no place of its own yet."""
    here = connect()

    def logical(name: str) -> str:
        return name.removeprefix(f"{here.namespace.name}.")

    named = [here.namespace.topic(logical(topic)) for topic in topics]
    with here.broker.admin() as admin:
        made = admin.provision(here.namespace.group(logical(group)), named)
    for position, offset in sorted(made.items()):
        typer.echo(f"{position.topic}[{position.partition}] from {offset}")
    typer.echo(f"{len(made)} partitions given a place" if made else "every partition had its place")


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """Show every topic of the catalogue, and whether the broker has it."""
    from linewarden_schemas.topics import CATALOGUE  # noqa: PLC0415

    here = connect()
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
