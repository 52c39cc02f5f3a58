"""`linewarden data`: what a folder of pictures holds, and which of them show the same thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import show
from linewarden.commands.options import Json, Layout, finite
from linewarden_runtime.files import writable_file
from linewarden_train.progress import bars

if TYPE_CHECKING:
    from linewarden_train.data.files import FileSamples

app = typer.Typer(help="Sets of pictures: what they hold, what is wrong with them.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the set.")]


@app.command()
def check(folder: Folder, layout: Layout = "auto", as_json: Json = False) -> None:
    """Look at every picture and mask: layout, counts, everything that is wrong. Exits 1 where there are errors."""
    from linewarden_train.data.checks import inspect_set  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_train.data.overview import counted, described  # noqa: PLC0415

    samples, saw = _read(folder, layout)
    with bars() as told:
        report = inspect_set(samples, lambda done: told("looking at", done, len(samples)))
    if as_json:
        typer.echo(json.dumps(described(samples, report, saw)))
    else:
        typer.echo(f"layout {saw}")
        show(counted(samples), empty="no pictures")
        _list("unannotated: defective, but nothing is marked; kept for classification only", report.unannotated)
        _list("errors", report.errors)
    raise typer.Exit(1 if report.errors else 0)


@app.command()
def groups(
    folder: Folder,
    threshold: Annotated[
        float, typer.Option(callback=finite, help="Correlation from which on two pictures are near-duplicates.")
    ] = 0.9,
    out: Annotated[Path | None, typer.Option(callback=writable_file, help="Write image and group to this CSV.")] = None,
    layout: Layout = "auto",
    as_json: Json = False,
) -> None:
    """Find near-duplicates, groups whose labels disagree, and groups that the set's own split tears apart."""
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415
    from linewarden_train.data.groups import (  # noqa: PLC0415
        mixed_groups,
        torn_groups,
        with_groups,
    )
    from linewarden_train.data.near_duplicates import group_alike, regrouped, thumbnails_of  # noqa: PLC0415
    from linewarden_train.data.overview import agreement  # noqa: PLC0415
    from linewarden_train.data.reading_sets import write_groups  # noqa: PLC0415

    samples, _ = _read(folder, layout)
    try:
        with bars() as told:
            thumbnails = thumbnails_of(samples, lambda done: told("looking at", done, len(samples)))
        names = regrouped(samples, group_alike(thumbnails, threshold))
    except ValueError as error:
        raise ConfigurationError(f"{error}; linewarden data check {folder} lists everything that is wrong") from error
    found = with_groups(samples, names)
    row = {"pictures": len(samples), "groups": len(set(names)), **agreement(samples, names)}
    mixed, torn = mixed_groups(found.labels), torn_groups(found)
    if as_json:
        typer.echo(json.dumps({**row, "mixed": mixed, "torn": torn}))
    else:
        show([row])
        _list("groups with good and defective pictures", mixed)
        _list("groups that the set's own split tears apart", [f"{name}: {', '.join(torn[name])}" for name in torn])
    if out is not None:
        write_groups(out, [(label.name, label.group) for label in found.labels])
        typer.echo(f"{len(samples)} rows in {out}", err=True)


def _read(folder: Path, layout: str) -> tuple[FileSamples, str]:
    """Read a set and say what its layout is; raises ConfigurationError in words."""
    import warnings  # noqa: PLC0415

    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415
    from linewarden_train.data.reading_sets import AUTO, read_set, recognise  # noqa: PLC0415

    try:
        saw = layout
        if layout == AUTO:
            recognised, seen = recognise(folder)
            layout, saw = recognised.name, f"{recognised.name} (saw {seen})"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what has no mask is listed by name below
            return read_set(folder, layout), saw
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _list(title: str, lines: list[str]) -> None:
    most = 20
    if lines:
        rest = [f"  and {len(lines) - most} more"] if len(lines) > most else []
        typer.echo("\n".join([f"{title} ({len(lines)}):", *(f"  {line}" for line in lines[:most]), *rest]))
