"""`linewarden shadow`: a candidate bundle beside the live line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands import options, recorded
from linewarden.commands.options import Device, Json, finite, parse_duration
from linewarden.commands.replay import Bundles, Containment, ContainmentPage, TorchThreads, kept_in, tell, write_page

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_replay.shadow.standing import ShadowStanding


def shadow(
    bundle: Annotated[str, typer.Option("--bundle", help="Digest of the candidate.")],
    bundles: Bundles,
    line: options.Line = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="8h", help="End after so long: 90s, 30m, 8h, 2d.")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="End after so many frames, with their batch.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Namespace of the shadow: shadow.<name>; by what it tries if none.")
    ] = None,
    device: Device = "auto",
    torch_threads: TorchThreads = 0,
    wait_s: Annotated[
        float,
        typer.Option(
            "--wait", callback=finite, min=0.0, help="Seconds that frames wait for the answer of the live line."
        ),
    ] = 30.0,
    every_s: Annotated[
        float,
        typer.Option("--every", callback=finite, min=1.0, help="Seconds between two lines that tell where it stands."),
    ] = 10.0,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the comparison here; the same shadow goes on with it.")
    ] = None,
    containment: Containment = None,
    page: ContainmentPage = None,
    as_json: Json = False,
) -> None:
    """Let a candidate judge live frames beside the line, and tell live what it would do differently.

    It is a consumer group of its own, and nothing that it says reaches the line. Where it stands is told on stderr;
    Ctrl-C ends it with the report of a replay. Exits 76 where retention deleted frames before it read them.
    """
    from linewarden_history.selection import Selection  # noqa: PLC0415 - slow to import, like all that follows
    from linewarden_replay.inspecting import ReplayPlan, Setting  # noqa: PLC0415
    from linewarden_replay.shadow.comparing import ShadowBounds  # noqa: PLC0415
    from linewarden_replay.shadow.shadow import run  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.lifecycle import Stop, stop_on_signals  # noqa: PLC0415

    def tell_standing(standing: ShadowStanding) -> None:
        at = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        typer.echo(f"{at}  {standing.line()}", err=True)

    bounds = ShadowBounds(frames, None if for_ is None else parse_duration(for_), wait_s, every_s)
    for_ever_ms = 1 << 52
    plan = ReplayPlan(
        Selection(0, for_ever_ms, line), bundles, Setting(bundle), device, name=name, torch_threads=torch_threads
    )
    broker, namespace = recorded.live()
    stop = Stop()
    stop_on_signals(stop)
    with kept_in(results) as path:
        found = run(broker, namespace, plan, bounds, stop, clock=SystemClock(), results=path, tell=tell_standing)
        if page is not None:
            write_page(page, found.report, path)
    tell(found.report, containment, found.more(), as_json=as_json)
    if found.overtaken is not None:
        typer.echo("the group of this shadow cannot go on; begin another one with --name", err=True)
        raise found.overtaken
