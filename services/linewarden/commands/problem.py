"""`linewarden report problem`: what somebody who helps has to know, without pictures, parts or secrets."""

from __future__ import annotations

import json
import os
import platform
import re
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterator
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.context import connect, now_ms
from linewarden_runtime.files import writable_file

if TYPE_CHECKING:
    from linewarden.commands.context import Connection

_SECRET = re.compile(r"password|secret|token|key|user|url|cameras|pepper", re.IGNORECASE)
_IN_TEXT = re.compile(r"(://[^/\s:@]*:)[^@\s]+@|((?:password|token|secret|key)[\"'=: ]+)[^\s\"',}]+", re.IGNORECASE)
_LAST_LINES = 5_000


def problem(
    out: Annotated[Path, typer.Option(callback=writable_file, metavar="ZIP", help="File to write.")] = Path(
        "linewarden-problem.zip"
    ),
    log: Annotated[
        list[Path] | None,
        typer.Option(help="A service's log; its last lines, secrets blotted out. May be repeated.", exists=True),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no broker.")] = False,
) -> None:
    """Gather versions, settings, doctor's findings, topics with their ends, and dead letters by cause into one file.

    No picture and no secret is in it: settings that may hold one are told by name alone. Look through it
    before you send it.
    """
    parts: dict[str, Callable[[], Any]] = {"versions.json": _versions, "settings.json": _settings}
    if not offline:
        parts |= {"doctor.json": _doctor, "topics.json": _topics, "dead-letters.json": _dead_letters}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, gather in parts.items():
            file.writestr(name, json.dumps(_or_why_not(gather), indent=1, default=str))
        for number, path in enumerate(log or ()):
            file.writestr(f"log-{number}-{path.name}", "".join(_tail(path)))
    typer.echo(f"written: {out} ({', '.join((*parts, *(path.name for path in log or ())))})")
    typer.echo("look through it before you send it")


def _or_why_not(gather: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON document
    """What was gathered, or why it could not be: that is often the very problem."""
    import redis  # noqa: PLC0415 - not before it is needed

    from linewarden_runtime.errors import RuntimeFault  # noqa: PLC0415

    try:
        return gather()
    except (RuntimeFault, redis.RedisError, OSError) as error:
        return {"not gathered": _blotted(str(error))}


def _versions() -> dict[str, Any]:
    packages = {one.name: one.version for one in distributions() if one.name}
    return {
        "linewarden": version("linewarden"),
        "at_ms": now_ms(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": dict(sorted(packages.items(), key=lambda one: one[0].lower())),
    }


def _settings() -> dict[str, str]:
    named = sorted(name for name in os.environ if name.upper().startswith("LINEWARDEN_"))
    return {name: "(set)" if _SECRET.search(name) else _blotted(os.environ[name]) for name in named}


def _doctor() -> list[dict[str, Any]]:
    from linewarden.commands.doctor import examine  # noqa: PLC0415

    return [{"check": one.check, "well": one.good, "advice": _blotted(one.advice)} for one in examine()]


def _topics() -> list[dict[str, Any]]:
    from linewarden_runtime.books import positions_of  # noqa: PLC0415

    here = connect()
    rows = []
    for name in _present(here):
        places = positions_of(here.broker, name)
        with here.broker.reader(dict.fromkeys(places, 0)) as reader:
            begin, end = reader.beginning_offsets(places), reader.end_offsets(places)
        rows.append({"topic": name, "partitions": {place.partition: [begin[place], end[place]] for place in places}})
    return rows


def _present(here: Connection) -> list[str]:
    from linewarden_schemas.topics import CATALOGUE  # noqa: PLC0415

    with here.broker.admin() as admin:
        there = admin.topics()
    return [name for name in map(here.namespace.topic, CATALOGUE) if name in there]


def _dead_letters() -> dict[str, int]:
    from linewarden.commands.dead_letters import letters_of  # noqa: PLC0415

    counts = Counter(f"{one.service}: {one.cause}" for one in letters_of(connect()))
    return dict(counts.most_common())


def _tail(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from map(_blotted, deque(file, _LAST_LINES))


def _blotted(text: str) -> str:
    """The text without what follows a word for a secret, or lies in a URL before its host."""
    return _IN_TEXT.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", text)
