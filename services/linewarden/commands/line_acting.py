"""How a command acts on a line, and as whom."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import SOURCE, actor, connect, now_ms

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_domain.line_situation import LineSituation
    from linewarden_domain.line_situation import Who as Acting
    from linewarden_runtime.acting import LineAct

LineName = Annotated[str, typer.Argument(metavar="LINE", help="The line.")]
Who = Annotated[str | None, typer.Option("--actor", help="Who acts; the user of this shell by default.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the record.")]
SignIn = Annotated[str | None, typer.Option("--as", metavar="NAME", help="The lead who signs in for it.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input, for scripts.")]
Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of the station's book; LINEWARDEN_STATION__DATA by default.")
]


def acted(line_id: str, act: LineAct) -> LineSituation:
    """Do something with a line by compare and set; the line as it was. Raises ConfigurationError, BrokerUnavailable."""
    from linewarden_runtime.acting import act_on_line, look_at_line  # noqa: PLC0415 - nothing heavy before its need

    here = connect()
    before = look_at_line(here.broker, here.namespace, line_id, now_ms())
    act_on_line(here.broker, here.namespace, line_id, act, SOURCE, now_ms, seen=before)
    return before


def anybody(name: str | None) -> Acting:
    """Who acts without signing in: the given name, or the user of this shell."""
    from linewarden_domain.line_situation import Who as Acting  # noqa: PLC0415 - as above

    return Acting(actor(name))


def signed_in(name: str | None, *, from_stdin: bool, data: Path | None) -> Acting:
    """Somebody who signs in as at the station, with the password that is asked for; without a name nobody in a role.

    The attempt stands in the station's log of acts. Raises ConfigurationError where it is refused.
    """
    from linewarden_domain.line_situation import Who as Acting  # noqa: PLC0415 - as above
    from linewarden_reinspect.settings import StationProcess  # noqa: PLC0415
    from linewarden_reinspect.station.access.access import AccessRules, opened_access  # noqa: PLC0415
    from linewarden_reinspect.station.errors import StationError  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415

    if name is None:
        return anybody(None)
    password = sys.stdin.readline().rstrip("\r\n") if from_stdin else typer.prompt("password", hide_input=True)
    folder = data or StationProcess.load().station.data
    with opened_access(AccessRules(folder), SystemClock()) as access:
        try:
            session = access.entry.by_password(name, str(password), "command line")
        except StationError as error:
            raise ConfigurationError(f"{name}: {error}") from error
        access.sessions.end(session)
    return Acting(session.signs, session.role)
