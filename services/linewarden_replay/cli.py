"""`linewarden replay` and `linewarden audit`: typer apps, mounted by the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .choice import (
    DEFAULT_INDEX,
    Archived,
    Camera,
    Index,
    Line,
    Lot,
    Operator,
    Part,
    Recipe,
    Routed,
    WithVerdict,
    Words,
    chosen,
)

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_runtime.ports import Broker
    from linewarden_schemas.ids import Namespace

    from .report import ReplayReport
    from .selection import Selection

app = typer.Typer(help="Inspect recorded frames again, beside the live line and never into it.", no_args_is_help=True)
audit_app = typer.Typer(help="Prove that nothing was lost, doubled or passed unsafely.", no_args_is_help=True)
_SHOWN = 20
_BUNDLES = ["LINEWARDEN_REPLAY__BUNDLES", "LINEWARDEN_INSPECT__BUNDLES"]

Json = Annotated[bool, typer.Option("--json", help="One JSON document for programs instead of a table.")]


Opened = Callable[[], "tuple[Broker, Namespace]"]


def _recorded(archive: Path | None) -> tuple[Broker, Namespace]:
    from .bootstrap import recorded  # noqa: PLC0415 - slow to import

    return recorded(archive)


@contextmanager
def _frames_bar(
    opened: Opened, selection: Selection, *, hidden: bool
) -> Iterator[tuple[Broker, Namespace, Callable[[int], None]]]:
    """The recorded line, and what advances a bar over the frames of a selection."""
    from rich.progress import Progress  # noqa: PLC0415 - slow to import, like all that follows

    from .reading import count_since  # noqa: PLC0415

    broker, namespace = opened()
    with Progress(disable=hidden) as progress:
        task = progress.add_task("frames", total=count_since(broker, namespace.topic("frames"), selection.from_ms))
        yield broker, namespace, lambda done: progress.advance(task, done)


@app.callback(invoke_without_command=True)
def replay(
    begin: Annotated[str, typer.Option("--from", help="Captured from then on: ISO 8601 or epoch ms.")],
    end: Annotated[str, typer.Option("--to", help="Captured up to then.")],
    bundles: Annotated[
        Path,
        typer.Option(help="Folder of bundle folders.", exists=True, file_okay=False, envvar=_BUNDLES),
    ],
    line: Line = None,
    camera: Camera = None,
    lot: Lot = None,
    part: Part = None,
    recipe: Recipe = None,
    verdict: WithVerdict = None,
    routing: Routed = None,
    operator: Operator = None,
    index: Index = DEFAULT_INDEX,
    archive: Archived = None,
    bundle: Annotated[str | None, typer.Option(help="Digest of another bundle to try instead.")] = None,
    name: Annotated[str | None, typer.Option(help="Namespace of the run: replay.<name>; the time by default.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")] = "auto",
    tolerance: Annotated[float, typer.Option(min=0.0, help="On p_defect and suspicion.")] = 1e-4,
    containment: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write the passes that would not pass now, by lot and part.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Inspect a range of recorded frames again and list what is answered differently.

    Chosen by the words of `linewarden select`; those that a frame does not tell itself are looked up in the index.

    Exits 1 where anything differs, except with another bundle, which is expected to differ.
    """
    run_id = name or datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    words = Words(begin, end, line, camera, lot, part, recipe, None, verdict, routing, operator)
    selection, opened = words.selection(), partial(_recorded, archive)
    with (
        chosen(selection, index, opened, hidden=as_json) as is_chosen,
        _frames_bar(opened, selection, hidden=as_json) as (broker, namespace, progress),
    ):
        from .replay import run  # noqa: PLC0415 - as above

        report = run(
            broker,
            namespace,
            selection,
            bundles,
            run_id=run_id,
            bundle=bundle,
            device=device,
            tolerance=tolerance,
            is_chosen=is_chosen,
            progress=progress,
        )
    if containment is not None:
        from .containment import write_csv  # noqa: PLC0415 - as above

        write_csv(containment, report.containment)
    _print_replay(report, as_json=as_json)
    raise typer.Exit(1 if report.differences and bundle is None else 0)


def _print_replay(report: ReplayReport, *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    if as_json:
        Console(highlight=False).print_json(json.dumps(report.as_dict()))
        return
    table = Table("", "", title=f"written to {report.namespace}.inspections")
    for name, value in (
        ("frames", report.frames),
        ("unreadable", report.unreadable),
        *((f"differs in {kind}", count) for kind, count in report.by_kind().items()),
        ("largest deviation", f"{report.largest_deviation:.2g}"),
        ("passes that would not pass now", len(report.containment)),
    ):
        table.add_row(str(name), str(value))
    Console().print(table)
    _print_ids("differs", tuple(f"{one.frame_id} ({one.kind.value})" for one in report.differences))
    _print_ids(
        "containment", tuple(f"{one.visit_id} (lot {one.lot_id}, part {one.part_id})" for one in report.containment)
    )


def _print_ids(name: str, ids: tuple[str, ...]) -> None:
    for one in ids[:_SHOWN]:
        typer.echo(f"{name}: {one}")
    if len(ids) > _SHOWN:
        typer.echo(f"{name}: and {len(ids) - _SHOWN} more; all of them with --json")
