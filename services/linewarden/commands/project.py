"""`linewarden init` and `linewarden check`: a project of a line in a folder, and whether it will run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import now_ms, show
from linewarden.commands.options import Json
from linewarden_runtime.files import writable_folder

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden.commands.doctor import HealthCheck

SETTINGS, CAMERAS, RECIPE = "line.env", "cameras.toml", "recipe.json"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="New or empty folder of the project.", callback=writable_folder)
    ],
    bundle: Annotated[
        Path | None, typer.Option(help="Your bundle, copied in; without it the demo's, and its simulated cameras.")
    ] = None,
    line: Annotated[str, typer.Option(help="Name of the line; of its topics too.")] = "line1",
    camera: Annotated[str, typer.Option(help="Name of the camera, where you bring a bundle.")] = "cam1",
    pictures: Annotated[Path | None, typer.Option(help="Folder that this camera's pictures come from.")] = None,
) -> None:
    """Write a project: cameras, a recipe, settings, units of systemd, and a README that explains every key.

    It runs as it is: with simulated parts and the demo's bundle, or with your bundle and a folder of pictures.
    """
    from linewarden.project.writing import ProjectPlan, write_project  # noqa: PLC0415 - nothing heavy before its need
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415

    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} holds something already; choose a new folder")
    written = write_project(ProjectPlan(folder.absolute(), line, camera, bundle, pictures, now_ms()))
    for path in written:
        typer.echo(f"written: {path.relative_to(folder.absolute())}")
    typer.echo(f"next: linewarden check {folder}, then what {folder / 'README.md'} says")


def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder of a project; the environment without it.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Only files and settings; ask no broker.")] = False,
    as_json: Json = False,
) -> None:
    """Tell whether a line will run: settings, cameras, recipe, bundle and its qualification, broker and Redis.

    Exits 1 where something is not well, with what to do.
    """
    from linewarden.commands.doctor import examine  # noqa: PLC0415 - as above
    from linewarden.project.checking import look_through  # noqa: PLC0415

    with _settings_of(folder):
        findings: list[HealthCheck] = list(look_through(folder, now_ms()))
        if not offline and all(one.good for one in findings):
            findings += examine()
    rows = [
        {"check": f.check, "well": "yes" if f.good else "NO", "to do": "" if f.good else f.advice} for f in findings
    ]
    show(rows, as_json=as_json)
    raise typer.Exit(0 if all(f.good for f in findings) else 1)


@contextmanager
def _settings_of(folder: Path | None) -> Iterator[None]:
    """The environment as the project's services get it; what it held before is put back.

    Raises ConfigurationError where the folder is no project.
    """
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415 - as above

    if folder is None:
        yield
        return
    file = folder / SETTINGS
    if not file.is_file():
        raise ConfigurationError(f"{folder} is no project ({SETTINGS} is missing): linewarden init {folder}")
    before = dict(os.environ)
    os.environ.update(read_settings(file.read_text(encoding="utf-8")))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def read_settings(text: str) -> Mapping[str, str]:
    """Names and values of a settings file, as systemd and compose read it."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}
