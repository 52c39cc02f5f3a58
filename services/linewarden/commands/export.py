"""`linewarden export`: what people decided, as a set that `linewarden train` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from linewarden.commands import options
from linewarden.commands.context import connect, show_table
from linewarden.commands.options import DEFAULT_INDEX, Json, Simulated, chosen, selection_of
from linewarden_runtime.files import writable_folder
from linewarden_train.progress import bars


def export(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="An empty folder, or an export to verify.", callback=writable_folder),
    ],
    begin: options.Begin = "0",
    end: options.End = "",
    line: options.Line = None,
    camera: options.Camera = None,
    lot: options.Lot = None,
    part: options.Part = None,
    recipe: options.Recipe = None,
    bundle: options.Bundle = None,
    verdict: options.WithVerdict = None,
    routing: options.Routed = None,
    operator: options.Operator = None,
    index: options.Index = DEFAULT_INDEX,
    simulated: Simulated = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check an export against its manifest instead.")] = False,
    as_json: Json = False,
) -> None:
    """Write pictures, drawn masks and who decided what, as masks and COCO; sides by group, the same for ever.

    Chosen by the words of `linewarden select`. Undone and pending decisions and seeded known-bads are left out, and
    counted. Train on it with
    'linewarden train --data DIR'. Exits 1 where that is no picture at all. With --verify: exits 1 where a file was
    changed since.
    """
    if verify:
        from linewarden_history.labels.folder import verify as differing  # noqa: PLC0415

        wrong = differing(out)
        if as_json:
            typer.echo(json.dumps({"as_exported": not wrong, "differs": wrong}))
        else:
            typer.echo("\n".join(wrong) if wrong else f"{out} is as it was exported")
        raise typer.Exit(1 if wrong else 0)
    from linewarden_history.labels.export import export_labels  # noqa: PLC0415 - nothing heavy before it is needed

    selection = selection_of(begin, end, line, camera, lot, part, recipe, bundle, verdict, routing, operator)
    where = connect()
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
        rows = [
            *manifest["classes"].items(),
            ("with a drawn mask", manifest["with_mask"]),
            ("judged blind, and kept", manifest["blind"]),
            *((f"side {side}", count) for side, count in manifest["sides"].items()),
            *((f"left out: {cause}", count) for cause, count in manifest["left_out"].items()),
        ]
        if manifest["unreadable"]:
            rows.append(("records that could not be read", len(manifest["unreadable"])))
        show_table(("", ""), rows, f"{manifest['pictures']} pictures of {manifest['groups']} groups in {out}")
        typer.echo(f"linewarden train --data {out} --out BUNDLE")
    if not manifest["pictures"]:
        typer.echo("nothing was exported: no decision of the selection gives a label", err=True)
        raise typer.Exit(1)
