"""`linewarden users`: who may sign in at the station, and as what."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import actor, show
from linewarden.commands.options import Json
from linewarden_schemas.vocabulary import Role

if TYPE_CHECKING:
    from linewarden_reinspect.station.access.access import Access

app = typer.Typer(help="People who may sign in at the station, and their roles.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user's name; quote it where it has spaces.")]
Folder = Annotated[
    Path | None, typer.Option("--data", help="Folder of the station's book; LINEWARDEN_STATION__DATA by default.")
]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input, for scripts.")]


@app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What they may do.")],
    password_stdin: Stdin = False,
    data: Folder = None,
) -> None:
    """Add somebody, with a password that is asked for."""
    with _access(data, "add", f"{name} as {role.value}") as access:
        access.accounts.add(name, role, _password(from_stdin=password_stdin))
    typer.echo(f"{name} may sign in as {role.value}")


@app.command(name="list")
def list_(as_json: Json = False, data: Folder = None) -> None:
    """Show everybody, with role, skills and the name that they have in the topics."""
    with _access(data) as access:
        rows = [
            {
                "name": one.name,
                "role": one.role.value,
                "may sign in": "no" if one.disabled else "yes",
                "skills": " ".join(one.skills),
                # Nobody has one before the first sign-in.
                "in the topics as": "" if (known := access.pseudonyms.known(one.name)) == one.name else known,
            }
            for one in access.accounts.all()
        ]
    show(rows, as_json=as_json, empty="nobody yet; add somebody with: linewarden users add NAME --role ROLE")


@app.command()
def disable(name: Name, data: Folder = None) -> None:
    """Sign somebody out and let them in no more; what they decided stays."""
    with _access(data, "disable", name) as access:
        access.accounts.disable(name)
    typer.echo(f"{name} may not sign in any more, and is signed out")


@app.command()
def enable(name: Name, data: Folder = None) -> None:
    """Let somebody who was disabled in again."""
    with _access(data, "enable", name) as access:
        access.accounts.enable(name)
    typer.echo(f"{name} may sign in again")


@app.command()
def role(name: Name, wanted: Annotated[Role, typer.Argument(help="The new role.")], data: Folder = None) -> None:
    """Give somebody another role; they have to sign in again."""
    with _access(data, "role", f"{name} to {wanted.value}") as access:
        access.accounts.set_role(name, wanted)
    typer.echo(f"{name} is {wanted.value} from the next sign-in on")


@app.command()
def skills(
    name: Name,
    learnt: Annotated[
        list[str] | None, typer.Argument(help="What they have learnt, whole; a recipe's `needs` asks for one.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="They have learnt nothing special.")] = False,
    data: Folder = None,
) -> None:
    """Say what somebody has learnt, from the next visit on; without a word, show what is entered."""
    if not learnt and not none:
        with _access(data) as access:
            kept = access.accounts.require(name).skills
    else:
        with _access(data, "skills", f"{name}: {' '.join(learnt or ()) or 'none'}") as access:
            kept = access.accounts.set_skills(name, learnt or ())
    typer.echo(f"{name}: {', '.join(kept) or 'no special skills'}")


@app.command()
def erase(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; it cannot be taken back.")] = False,
    data: Folder = None,
) -> None:
    """Forget who somebody was; what they decided stays, under a pseudonym that nobody can resolve any more."""
    if not yes:
        typer.confirm(f"forget who {name} was, for ever?", abort=True)
    with _access(data) as access:
        pseudonym = access.accounts.erase(name)
        access.log.write(actor(None), "cli", "users erase", object=pseudonym or "somebody who never signed in")
    left = f"what the topics hold of {pseudonym} is nobody's any more" if pseudonym else "they never signed in"
    typer.echo(f"erased; {left}")


@app.command()
def password(name: Name, password_stdin: Stdin = False, data: Folder = None) -> None:
    """Give somebody another password; they have to sign in again."""
    with _access(data, "password", name) as access:
        access.accounts.require(name)
        access.accounts.set_password(name, _password(from_stdin=password_stdin))
    typer.echo(f"{name} has a new password")


@app.command()
def link(
    wanted: Annotated[Role, typer.Argument(help="The role in which the link signs in.")],
    url: Annotated[
        str, typer.Option(help="Where people reach the station; what the station's settings say by default.")
    ] = "",
    data: Folder = None,
) -> None:
    """Print a link that signs somebody in once, within a day, with a name of their choice and no password."""
    from linewarden_reinspect.bootstrap import reached_at, sign_in_link  # noqa: PLC0415 - nothing heavy before
    from linewarden_reinspect.settings import StationProcess  # noqa: PLC0415
    from linewarden_reinspect.station.access.links import LinkKind  # noqa: PLC0415

    settings = StationProcess.load().station
    with _access(data, "link", wanted.value) as access:
        token = access.links.make(LinkKind.SIGN_IN, [wanted])
    typer.echo(sign_in_link(url or reached_at(settings, settings.port), token))


@contextmanager
def _access(data: Path | None, act: str = "", on: str = "") -> Iterator[Access]:
    """The station's book, which may be in use; what was done, or refused, goes into the log of acts."""
    from linewarden_reinspect.settings import StationProcess  # noqa: PLC0415
    from linewarden_reinspect.station.access.access import AccessRules, opened_access  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415

    folder = data or StationProcess.load().station.data
    with opened_access(AccessRules(folder), SystemClock()) as access:
        try:
            yield access
        except ConfigurationError as error:
            access.log.write(
                actor(None), "cli", f"users {act}".rstrip(), object=on, outcome="refused", detail=str(error)
            )
            raise
        if act:
            access.log.write(actor(None), "cli", f"users {act}", object=on)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("password (ten characters or more)", hide_input=True, confirmation_prompt="the same again"))
