"""`linewarden bundle export`: a bundle as an ONNX file that repeats the bundle's golden answers."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from linewarden_runtime.files import writable_file

from .evaluate import in_one_line


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", exists=True, file_okay=False)
    ],
    out: Annotated[Path, typer.Option(callback=writable_file, help="The ONNX file.", dir_okay=False)],
    size: Annotated[
        str, typer.Option(help="Input as HEIGHTxWIDTH, where a bundle's inputs differ; most golden ones by default.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The gate's report as one JSON document.")] = False,
) -> None:
    """Write model.onnx with margin, suspicion, maps and mask; refused where a golden verdict flips."""
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_vision.export.onnx_file import export_bundle  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder)
        try:
            model, report = export_bundle(bundle, _size(size))
        except ImportError as error:
            raise ValueError(f"{error.name} is missing: pip install 'linewarden[export]'") from error
    unfinished = out.with_name(f"{out.name}.partial")
    unfinished.write_bytes(model)
    os.replace(unfinished, out)  # noqa: PTH105 - replaces on every system, which rename does not
    if as_json:
        typer.echo(json.dumps({"bundle_digest": bundle.digest, "bytes": len(model), **asdict(report)}, indent=1))
        return
    typer.echo(f"{out}: {len(model)} bytes, of bundle {bundle.digest[:12]}")
    typer.echo(f"input {report.height}x{report.width}, any batch")
    typer.echo(f"gate passed on {report.pictures} of {report.golden} golden pictures")
    typer.echo(f"largest deviation of a margin: {report.margin_deviation:.2g}")
    typer.echo(f"held to the golden set: {report.covers}")
    if report.diverted_more:
        typer.echo(f"{report.diverted_more} of them the bundle trusts after its second look; the export diverts them")


def _size(text: str) -> tuple[int, int] | None:
    """Read 224x160; raises ValueError otherwise."""
    if not text:
        return None
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise ValueError(f"--size takes HEIGHTxWIDTH, such as 224x160; not {text!r}")
    return int(height), int(width)
