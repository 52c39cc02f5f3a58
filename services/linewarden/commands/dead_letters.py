"""`linewarden dead-letters`: records that could not be handled, with their cause."""

from __future__ import annotations

from typing import Annotated

import typer

from linewarden.commands.context import connect, show
from linewarden.commands.options import Json

app = typer.Typer(help="Records that could not be handled.", no_args_is_help=True)


@app.command(name="list")
def list_(
    as_json: Json = False,
    last: Annotated[int, typer.Option(min=1, help="How many, newest last.")] = 50,
) -> None:
    """Show the newest dead letters."""
    from linewarden_runtime.books import TopicBook, readable  # noqa: PLC0415
    from linewarden_runtime.records import InRecord  # noqa: PLC0415
    from linewarden_schemas.operations import DeadLetter  # noqa: PLC0415

    letters: list[DeadLetter] = []

    def learn(record: InRecord) -> None:
        message = readable(record)
        if isinstance(message, DeadLetter):
            letters.append(message)

    here = connect()
    with TopicBook(here.broker, here.namespace.topic("dead-letters"), learn) as book:
        book.refresh()
    letters.sort(key=lambda letter: letter.at_ms)
    rows = [
        {
            "service": letter.service,
            "cause": letter.cause,
            "source": f"{letter.source.topic}[{letter.source.partition}]@{letter.source.offset}",
            "visit": letter.visit_id or "-",
            "bytes": letter.value_bytes,
            "detail": letter.detail,
        }
        for letter in letters[-last:]
    ]
    show(rows, as_json=as_json, empty="no dead letters")
