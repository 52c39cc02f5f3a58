"""The command line: composition only. Nothing heavy is imported before its command runs."""

from __future__ import annotations

import importlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from linewarden import faults
from linewarden.commands import (
    alarm,
    archive,
    audit,
    bundle,
    camera,
    data,
    dead_letters,
    drift,
    escape,
    estimate,
    evaluate,
    export,
    find,
    gate,
    hold,
    inspect,
    known_bads,
    line,
    live,
    msa,
    project,
    qualify,
    queue,
    recipe,
    replay,
    report,
    retention,
    select,
    shadow,
    teach,
    topics,
    traces,
    train,
    users,
)
from linewarden.commands.context import show
from linewarden.commands.options import Json, finite
from linewarden_runtime.files import writable_file, writable_folder

app = typer.Typer(
    name="linewarden",
    help="Inspects every part on a production line and knows when its own OK must not be believed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing what draws boxes takes longer than the rest of `--help`
    context_settings={"max_content_width": 120},
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - not for every other command

        typer.echo(f"linewarden {version('linewarden')}")
        raise typer.Exit


@app.callback()
def linewarden(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Inspects every part on a production line and knows when its own OK must not be believed."""


class ServiceName(StrEnum):
    """A service that runs as its own process; the value is what `run` takes."""

    INGEST = "ingest"
    INSPECT = "inspect"
    KEEPER = "keeper"
    ROUTE = "route"
    ONWARD = "onward"
    LINE = "line"
    PROJECTOR = "projector"
    STATION = "station"
    NOTARY = "notary"


_MAINS = {
    ServiceName.INGEST: "linewarden_ingest.bootstrap:main",
    ServiceName.INSPECT: "linewarden_inspect.bootstrap:main",
    ServiceName.KEEPER: "linewarden_inspect.keeper:main",
    ServiceName.ROUTE: "linewarden_route.bootstrap:main",
    ServiceName.ONWARD: "linewarden_onward.bootstrap:main",
    ServiceName.LINE: "linewarden_line.bootstrap:main",
    ServiceName.PROJECTOR: "linewarden_reinspect.bootstrap:projector_main",
    ServiceName.STATION: "linewarden_reinspect.bootstrap:main",
    ServiceName.NOTARY: "linewarden_audit.notary.service:main",
}


@app.command()
def demo(
    parts: Annotated[int | None, typer.Option(min=1, help="Stop after so many visits; without it, on Ctrl-C.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Stop by itself; nobody is at the station.")] = False,
    broker: Annotated[
        Literal["embedded", "apache"], typer.Option(help="embedded (Tansu) or apache (Java and Maven).")
    ] = "embedded",
    camera: Annotated[
        Literal["line", "rtsp", "genicam"],
        typer.Option(help="line (drawn where it is taken), rtsp (a real server) or genicam (fake GigE cameras)."),
    ] = "line",
    source: Annotated[Path | None, typer.Option(help="A folder of pictures instead of the simulated line.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle of yours instead of the demo's.")] = None,
    rate: Annotated[float, typer.Option(callback=finite, min=0.1, help="Visits a second.")] = 4.0,
    out: Annotated[Path, typer.Option(help="Where the summary goes.", callback=writable_file)] = (
        Path("demo-summary.json")
    ),
    work: Annotated[
        Path | None, typer.Option(help="Keep logs, spool and data in this new folder.", callback=writable_folder)
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the station; 0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the simulated line.")] = 1,
    with_gate: Annotated[
        bool, typer.Option("--gate", help="With onward and a simulated PLC, whose bins are checked at the end.")
    ] = False,
    reviewers: Annotated[
        int, typer.Option(min=1, max=3, help="People who judge each diverted part, blind to each other.")
    ] = 1,
) -> None:
    """Run a whole line on this machine: cameras, network, trust, router, queue and station."""
    from linewarden.demo.run import run  # noqa: PLC0415 - nothing heavy before it is needed

    wanted = parts or (200 if headless else None)
    code = run(
        wanted,
        broker,
        rate,
        seed,
        camera=camera,
        source=source,
        bundle=bundle,
        out=out,
        work=work,
        port=port,
        gate=with_gate,
        reviewers=reviewers,
    )
    raise typer.Exit(code)


@app.command()
def run(service: Annotated[ServiceName, typer.Argument(help="The service to run in this process.")]) -> None:
    """Run one service; its settings come from the environment (LINEWARDEN_...)."""
    module, name = _MAINS[service].split(":")
    raise typer.Exit(getattr(importlib.import_module(module), name)([]))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look at everything the line needs, and say what to change. Exits 1 where something is not well."""
    from linewarden.commands.doctor import examine  # noqa: PLC0415 - nothing heavy before it is needed

    findings = examine()
    rows = [
        {"check": f.check, "well": "yes" if f.good else "NO", "to do": "" if f.good else f.advice} for f in findings
    ]
    show(rows, as_json=as_json, empty="nothing to look at")
    raise typer.Exit(0 if all(f.good for f in findings) else 1)


for command in (
    *(train.train, teach.teach, inspect.inspect, export.export, find.find, select.select, evaluate.evaluate),
    *(project.init, project.check, qualify.qualify, drift.drift, estimate.estimate, live.live, shadow.shadow),
    traces.traces,
):
    app.command()(command)
for group in (
    *(bundle, topics, data, camera, recipe, line, alarm, gate, dead_letters, queue, users, known_bads),
    *(report, msa, escape, replay, audit, archive, retention, hold),
):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2].replace("_", "-"))


def main() -> None:
    """Entry point: faults that people can mend are one line, not a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        found = faults.told(error)
        if found is None:
            raise
        sys.stderr.write(f"linewarden: {found[0]}\n")
        sys.exit(found[1])
