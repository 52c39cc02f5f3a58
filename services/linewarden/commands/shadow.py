"""`linewarden shadow`: a candidate bundle beside the live line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands import choice
from linewarden.commands.replay import Bundles, Csv, Device, Json, Page, TorchThreads, kept_in, tell, write_page

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_replay.replay import Plan
    from linewarden_replay.shadow.comparing import Bounds
    from linewarden_replay.shadow.shadow import Shadowed
    from linewarden_replay.shadow.standing import Standing

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FOR_EVER_MS = 1 << 52
_Bundle = Annotated[str, typer.Option("--bundle", help="Digest of the candidate.")]
_For = Annotated[str | None, typer.Option("--for", metavar="8h", help="End after so long: 90s, 30m, 8h, 2d.")]
_Frames = Annotated[int | None, typer.Option(min=1, help="End after so many frames, with their batch.")]
_Name = Annotated[str | None, typer.Option(help="Namespace of the shadow: shadow.<name>; by what it tries if none.")]
_Results = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Keep the comparison here; the same shadow goes on with it.")
]
_Wait = Annotated[
    float, typer.Option("--wait", min=0.0, help="Seconds that frames wait for the answer of the live line.")
]
_Every = Annotated[float, typer.Option("--every", min=1.0, help="Seconds between two lines that tell where it stands.")]


def shadow(
    bundle: _Bundle,
    bundles: Bundles,
    line: choice.Line = None,
    for_: _For = None,
    frames: _Frames = None,
    name: _Name = None,
    device: Device = "auto",
    torch_threads: TorchThreads = 0,
    wait_s: _Wait = 30.0,
    every_s: _Every = 10.0,
    results: _Results = None,
    containment: Csv = None,
    page: Page = None,
    as_json: Json = False,
) -> None:
    """Let a candidate judge live frames beside the line, and tell live what it would do differently.

    It is a consumer group of its own, and nothing that it says reaches the line. Where it stands is told on stderr;
    Ctrl-C ends it with the report of a replay. Exits 76 where retention deleted frames before it read them.
    """
    from linewarden_history.selection import Selection  # noqa: PLC0415
    from linewarden_replay.inspecting import Setting  # noqa: PLC0415 - slow to import, like all that follows
    from linewarden_replay.replay import Plan  # noqa: PLC0415
    from linewarden_replay.shadow.comparing import Bounds  # noqa: PLC0415

    bounds = Bounds(frames, None if for_ is None else parse_duration(for_), wait_s, every_s)
    plan = Plan(
        Selection(0, _FOR_EVER_MS, line), bundles, Setting(bundle), device, name=name, torch_threads=torch_threads
    )
    found = _run(plan, bounds, results, page)
    tell(found.report, containment, found.more(), as_json=as_json)
    if found.overtaken is not None:
        typer.echo("the group of this shadow cannot go on; begin another one with --name", err=True)
        raise found.overtaken


def _run(plan: Plan, bounds: Bounds, results: Path | None, page: Path | None) -> Shadowed:
    from linewarden.commands.recorded import live  # noqa: PLC0415 - as above
    from linewarden_replay.shadow.shadow import run  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.lifecycle import Stop, stop_on_signals  # noqa: PLC0415

    broker, namespace = live()
    stop = Stop()
    stop_on_signals(stop)
    with kept_in(results) as path:
        found = run(broker, namespace, plan, bounds, stop, clock=SystemClock(), results=path, tell=_tell)
        if page is not None:
            write_page(page, found.report, path)
    return found


def _tell(standing: Standing) -> None:
    at = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    typer.echo(f"{at}  {standing.line()}", err=True)


def parse_duration(text: str) -> float:
    """Seconds of a number with its unit (90s, 30m, 8h, 2d); raises typer.BadParameter for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration such as 90s, 30m, 8h or 2d")
    return float(found[1]) * _SECONDS[found[2]]
