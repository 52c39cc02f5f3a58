"""`linewarden export`: what people decided, as a set that `linewarden train` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from linewarden.commands.choice import (
    DEFAULT_INDEX,
    Begin,
    Bundle,
    Camera,
    End,
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
from linewarden_runtime.files import writable_folder
from linewarden_train.progress import bars

from .context import context


def export(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="An empty folder, or an export to verify.", callback=writable_folder),
    ],
    begin: Begin = "0",
    end: End = "",
    line: Line = None,
    camera: Camera = None,
    lot: Lot = None,
    part: Part = None,
    recipe: Recipe = None,
    bundle: Bundle = None,
    verdict: WithVerdict = None,
    routing: Routed = None,
    operator: Operator = None,
    index: Index = DEFAULT_INDEX,
    simulated: Annotated[bool, typer.Option("--simulated", help="Also what a simulated line made.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check an export against its manifest instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document for programs.")] = False,
) -> None:
    """Write pictures, drawn masks and who decided what, as masks and COCO; sides by group, the same for ever.

    Chosen by the words of `linewarden select`. Undone and pending decisions and seeded known-bads are left out, and
    counted. Train on it with
    'linewarden train --data DIR'. Exits 1 where that is no picture at all. With --verify: exits 1 where a file was
    changed since.
    """
    if verify:
        _verify(out, as_json=as_json)
        return
    from linewarden_history.labels.export import export_labels  # noqa: PLC0415 - nothing heavy before it is needed

    words = Words(begin, end, line, camera, lot, part, recipe, bundle, verdict, routing, operator)
    selection = words.selection()
    where = context()
    with chosen(selection, index, lambda: (where.broker, where.namespace)) as is_chosen, bars() as show:
        manifest = export_labels(
            where.broker,
            where.namespace,
            selection,
            out,
            simulated=simulated,
            is_chosen=is_chosen,
            looked=lambda topic, count: show(topic, count, count),
        )
    if as_json:
        typer.echo(json.dumps(manifest))
    else:
        _tell(manifest, out)
    if not manifest["pictures"]:
        typer.echo("nothing was exported: no decision of the selection gives a label", err=True)
        raise typer.Exit(1)


def _verify(folder: Path, *, as_json: bool) -> None:
    from linewarden_history.labels.folder import verify  # noqa: PLC0415

    wrong = verify(folder)
    if as_json:
        typer.echo(json.dumps({"as_exported": not wrong, "differs": wrong}))
    else:
        typer.echo("\n".join(wrong) if wrong else f"{folder} is as it was exported")
    raise typer.Exit(1 if wrong else 0)


def _tell(manifest: dict[str, Any], out: Path) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table("", "", title=f"{manifest['pictures']} pictures of {manifest['groups']} groups in {out}")
    for name, count in manifest["classes"].items():
        table.add_row(name, str(count))
    table.add_row("with a drawn mask", str(manifest["with_mask"]))
    table.add_row("judged blind, and kept", str(manifest["blind"]))
    for side, count in manifest["sides"].items():
        table.add_row(f"side {side}", str(count))
    for cause, count in manifest["left_out"].items():
        table.add_row(f"left out: {cause}", str(count))
    if manifest["unreadable"]:
        table.add_row("records that could not be read", str(len(manifest["unreadable"])))
    Console().print(table)
    typer.echo(f"linewarden train --data {out} --out BUNDLE")
