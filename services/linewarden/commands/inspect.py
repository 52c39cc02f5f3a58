"""`linewarden inspect`: a folder of pictures, judged on this machine as the line would; no topic is touched."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import now_ms, progress_bar, show_table
from linewarden.commands.options import Device, Json
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.files import writable_file, writable_folder

if TYPE_CHECKING:
    from linewarden_vision.inspector import Inspector


def inspect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of pictures, nothing prepared.")],
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    out: Annotated[Path, typer.Option(help="One line of JSON a picture, in order.")],
    maps: Annotated[Path | None, typer.Option(help="Masks and heatmaps as PNG files in this folder.")] = None,
    part: Annotated[
        str | None, typer.Option(help="Regular expression: what of a picture's path names its part.")
    ] = None,
    either: Annotated[bool, typer.Option("--either", help="NG also where only the mask shows a defect.")] = False,
    device: Device = "auto",
    batch: Annotated[int, typer.Option(min=1, max=256, help="Pictures scored together.")] = 16,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads that decode.")] = 2,
    torch_threads: Annotated[
        int,
        typer.Option(min=0, max=256, help="Threads of the network; 1 where cores are shared, 0 leaves torch its own."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Judge every picture of a folder. What cannot be judged is NOT_DECIDABLE and diverted, never left out.

    Exits 0 when every picture was answered, 1 when the bundle cannot be used, 2 for wrong usage.
    """
    from linewarden_inspect.offline.folder import Options, inspect_listing  # noqa: PLC0415 - heavy, so only here
    from linewarden_inspect.offline.listing import UnusableFolder, list_pictures  # noqa: PLC0415
    from linewarden_schemas.vocabulary import VerdictRule  # noqa: PLC0415

    _check_places(folder, out, maps)
    try:
        listing = list_pictures(folder, re.compile(part) if part else None)
    except (UnusableFolder, re.error) as error:
        raise typer.BadParameter(str(error)) from error
    import cv2  # noqa: PLC0415 - after what names the extra that brings it
    import torch  # noqa: PLC0415

    cv2.setNumThreads(1)  # pictures are decoded on threads of our own
    if torch_threads:
        torch.set_num_threads(torch_threads)
    scorer = load_inspector(bundle, device, batch)
    rule = VerdictRule.EITHER if either else VerdictRule.CLASSIFIER
    options = Options(maps=maps, batch=batch, threads=threads, rule=rule, at_ms=now_ms())
    unfinished = out.with_name(f"{out.name}.partial")
    with (
        unfinished.open("w", encoding="ascii", newline="\n") as file,
        progress_bar("inspecting", len(listing.entries), transient=False) as shown,
    ):
        summary = inspect_listing(listing, scorer, options, write=file.write, clock=time.monotonic, on_done=shown)
    os.replace(unfinished, out)  # noqa: PTH105 - replaces on every system, which rename does not
    if as_json:
        typer.echo(json.dumps(summary.document(), indent=1))
        return
    show_table(("inspected", ""), summary.rows())


def _check_places(folder: Path, out: Path, maps: Path | None) -> None:
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder")
    try:
        writable_file(out)
        writable_folder(maps)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from error
    if maps is None:
        return
    if maps.resolve().is_relative_to(folder.resolve()):
        raise typer.BadParameter(f"maps in {maps} would be taken for pictures of {folder}; choose a folder outside")
    if maps.exists() and not maps.is_dir():
        raise typer.BadParameter(f"{maps} is not a folder")


def load_inspector(bundle: Path, device: str, batch: int) -> Inspector:
    """The bundle, ready to score; tells in one line why it cannot be, and ends the command."""
    from linewarden_vision.errors import BundleError, GateError  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    if not bundle.is_dir():
        raise typer.BadParameter(f"{bundle} is not a folder; a bundle is one folder")
    try:
        return Inspector.load(bundle, device=device, max_batch=batch)
    except (ValueError, RuntimeError) as error:  # torch's word for a device that it does not know
        raise typer.BadParameter(str(error)) from error
    except (BundleError, GateError) as error:
        typer.echo(f"linewarden: {error}", err=True)
        raise typer.Exit(1) from error
