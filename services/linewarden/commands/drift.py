"""`linewarden drift`: whether what passes still looks like what the bundle was made of."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from linewarden.commands.context import in_one_line, show
from linewarden.commands.options import BundleFolder, Json, finite


def drift(
    results: Annotated[Path, typer.Option(help="JSON lines of inspections, in order of time.", exists=True)],
    bundle: BundleFolder,
    window: Annotated[int, typer.Option(min=1, help="Passed pictures in a window.")] = 500,
    delta: Annotated[float, typer.Option(callback=finite, help="Chance of any false alarm in the whole file.")] = 0.01,
    as_json: Json = False,
) -> None:
    """Compare ingredients of passed parts with the bundle's good parts, window by window. Exits 1 on an alarm."""
    from linewarden_train.live.drift import (  # noqa: PLC0415 - nothing heavy before it is needed
        advice,
        good_values,
        read_results,
        row_of,
    )
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415
    from linewarden_vision.watch.drift import find_drift  # noqa: PLC0415

    with in_one_line():
        held, seen = read_bundle(bundle), read_results(results)
        found = find_drift(good_values(held.card), seen.ingredients, window=window, delta=delta)
    told = advice(found, held.qualification is not None)
    if as_json:
        shifts = [asdict(shift) for shift in found.shifts]
        typer.echo(json.dumps({"shifts": shifts, "left_over": found.left_over, "advice": told}, indent=1))
    else:
        show([row_of(shift) for shift in found.shifts], empty="not one window is full yet")
        typer.echo(f"{seen.count} passed pictures, {found.left_over} of them in a window that is not full")
        typer.echo("\n".join(told or ["steady"]))
    raise typer.Exit(1 if found.alarms else 0)
