"""`linewarden dead-letters list | show | redrive`: records that could not be handled, with their cause."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import actor, connect, publish, show
from linewarden.commands.options import By, Json
from linewarden_runtime.files import writable_file

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden.commands.context import Connection
    from linewarden_runtime.records import OutRecord
    from linewarden_schemas.operations import DeadLetter

app = typer.Typer(help="Records that could not be handled.", no_args_is_help=True)

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="As 'list' names it: topic[partition]@offset.")]
Sources = Annotated[list[str] | None, typer.Argument(metavar="SOURCE", help="As 'list' names them.")]


@app.command(name="list")
def list_(
    as_json: Json = False,
    last: Annotated[int, typer.Option(min=1, help="How many, newest last.")] = 50,
    cause: Annotated[str | None, typer.Option(help="Only of this cause.")] = None,
) -> None:
    """Show the newest dead letters."""
    letters = [one for one in letters_of(connect()) if cause in {None, one.cause}]
    rows = [
        {
            "service": letter.service,
            "cause": letter.cause,
            "source": _place(letter),
            "visit": letter.visit_id or "-",
            "bytes": letter.value_bytes,
            "detail": letter.detail,
        }
        for letter in letters[-last:]
    ]
    show(rows, as_json=as_json, empty="no dead letters")


@app.command(name="show")
def show_(
    source: Source,
    out: Annotated[Path | None, typer.Option(callback=writable_file, help="Write the record's value here.")] = None,
    as_json: Json = False,
) -> None:
    """Show one dead letter: why, its headers, and its value where that is text. Exits 1 where there is none."""
    (letter,) = _named(letters_of(connect()), [source])
    value = letter.value or b""
    if out is not None:
        out.write_bytes(value)
    facts = {
        "service": letter.service,
        "cause": letter.cause,
        "detail": letter.detail,
        "source": _place(letter),
        "visit": letter.visit_id or "-",
        "frame": letter.frame_id or "-",
        "kept": f"{len(value)} of {letter.value_bytes} bytes",
        "headers": {name: content.decode(errors="replace") for name, content in letter.headers},
        "value": value.decode() if value.isascii() else f"{len(value)} bytes that are no text: --out FILE",
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    show([{"what": name, "told": json.dumps(one) if isinstance(one, dict) else one} for name, one in facts.items()])


@app.command()
def redrive(
    sources: Sources = None,
    cause: Annotated[str | None, typer.Option(help="All of this cause instead.")] = None,
    by: By = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
) -> None:
    """Send records again, as they were, to the topic and partition where they lay; mend what refused them first.

    Nothing is decided twice: readers keep the first of each id, and a visit that was routed stays routed. A letter that
    was cut short is refused. Who sent it stands in the record's header `redriven-by`.
    """
    if (cause is None) == (not sources):
        raise typer.BadParameter("name the letters, as 'list' does, or give --cause")
    here = connect()
    letters = letters_of(here)
    chosen = _named(letters, sources) if sources else [one for one in letters if one.cause == cause]
    if not chosen:
        typer.echo(f"no dead letter of cause {cause}", err=True)
        raise typer.Exit(1)
    strange = sorted({one.source.topic for one in chosen if not one.source.topic.startswith(f"{here.namespace.name}.")})
    if strange:
        raise typer.BadParameter(f"of another namespace, so it cannot be sent from here: {', '.join(strange)}")
    cut = [_place(one) for one in chosen if len(one.value or b"") != one.value_bytes]
    if cut:
        raise typer.BadParameter(f"not whole, so it cannot be sent again: {', '.join(cut)}")
    who = actor(by)
    if not yes:
        typer.confirm(f"send {len(chosen)} records again, as {who}?", abort=True)
    publish(here.broker, [_again(one, who) for one in chosen], client="cli-redrive")
    typer.echo(f"{len(chosen)} records sent again")


def letters_of(here: Connection) -> list[DeadLetter]:
    """Every dead letter, oldest first; of one record that was given up more than once the newest."""
    from linewarden_runtime.books import TopicBook, readable  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_runtime.records import InRecord  # noqa: PLC0415
    from linewarden_schemas.operations import DeadLetter  # noqa: PLC0415

    found: dict[str, DeadLetter] = {}

    def learn(record: InRecord) -> None:
        message = readable(record)
        if isinstance(message, DeadLetter):
            found[_place(message)] = message

    with TopicBook(here.broker, here.namespace.topic("dead-letters"), learn) as book:
        book.refresh()
    return sorted(found.values(), key=lambda letter: letter.at_ms)


def _named(letters: Sequence[DeadLetter], sources: Sequence[str]) -> list[DeadLetter]:
    known = {_place(one): one for one in letters}
    unknown = sorted(set(sources) - known.keys())
    if unknown:
        typer.echo(f"no dead letter of {', '.join(unknown)}; see 'linewarden dead-letters list'", err=True)
        raise typer.Exit(1)
    return [known[one] for one in dict.fromkeys(sources)]


def _place(letter: DeadLetter) -> str:
    return f"{letter.source.topic}[{letter.source.partition}]@{letter.source.offset}"


def _again(letter: DeadLetter, who: str) -> OutRecord:
    from linewarden_runtime.records import OutRecord  # noqa: PLC0415 - as above

    headers = tuple(one for one in letter.headers if one[0] != "redriven-by")
    told = (*headers, ("redriven-by", who.encode()))
    return OutRecord(letter.source.topic, letter.key, letter.value, told, letter.source.partition)
