"""`linewarden camera`: what is attached and set, what a camera sees, its limits, and what it let pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.context import in_one_line, show, show_table
from linewarden.commands.options import (
    DEFAULT_INDEX,
    Index,
    Json,
    Offline,
    clock_of,
    finite,
    in_words,
    opened_index,
    parse_time,
)

if TYPE_CHECKING:
    from linewarden_ingest.cameras.options import CameraOptions
    from linewarden_ingest.settings import IngestOptions

app = typer.Typer(help="Cameras: found, looked at, taught, and what they let pass.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="CAMERA", help="Its camera_id.")]


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """List the cameras that are set, and the devices that the kinds find attached now."""
    from linewarden_ingest.cameras.kinds import BUILT_IN, KINDS  # noqa: PLC0415 - nothing heavy before its need

    cameras = [_as_row(one) for one in _options(needed=False).cameras]
    found = [row for kind in (*BUILT_IN, *KINDS.brought()) for row in _attached(kind)]
    if as_json:
        typer.echo(json.dumps({"cameras": cameras, "attached": found}))
        return
    show(cameras, empty="no camera is set: LINEWARDEN_INGEST__CAMERAS, or LINEWARDEN_INGEST__CONFIG")
    if found:
        show_table(list(found[0]), (list(row.values()) for row in found), title="attached")
    else:
        typer.echo("no kind finds a device attached")


@app.command(name="show")
def show_(
    camera: Name,
    port: Annotated[int, typer.Option(help="Port of the page on 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Open a page with the live picture, its histogram, focus figure and rate. Ingest must leave the camera free."""
    from linewarden_ingest.cameras.live_view import LiveServer, LiveView  # noqa: PLC0415 - as above
    from linewarden_ingest.captures import CameraPlace  # noqa: PLC0415
    from linewarden_runtime.background import Background  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.lifecycle import Stop, stop_on_signals  # noqa: PLC0415
    from linewarden_runtime.logs import to_stderr  # noqa: PLC0415

    to_stderr()
    options = _options()
    chosen = _camera(options, camera)
    place = CameraPlace(options.line_id, options.station_id, chosen.camera_id, chosen.view_id)
    clock, stop = SystemClock(), Stop()
    stop_on_signals(stop)
    view = LiveView(chosen, place, clock)
    reading = Background("camera", lambda _until: view.run(stop), stop).start()
    with LiveServer(view, port) as server:
        typer.echo(f"{camera} at {server.url}; Ctrl-C ends it")
        while not stop.is_set():
            stop.wait(clock, 0.2)
    reading.result(0.0)  # without waiting: a read that hangs must not keep Ctrl-C from ending this


@app.command()
def teach(
    camera: Name,
    pictures: Annotated[list[Path] | None, typer.Argument(help="Good pictures.", exists=True, dir_okay=False)] = None,
    folder: Annotated[Path | None, typer.Option(help="Take all of a folder.", exists=True, file_okay=False)] = None,
    as_json: Json = False,
) -> None:
    """Learn limits of brightness and focus from 50 or more good pictures, and print the line for its settings.

    Each limit lies 6 standard deviations from the median, by the median deviation, and at least 10 % (grey level) or
    30 % (focus, as a logarithm) of it. Good pictures that would not keep them are named.
    """
    from linewarden_ingest.cameras.conditions import measure  # noqa: PLC0415 - as above
    from linewarden_ingest.cameras.folder import list_pictures  # noqa: PLC0415
    from linewarden_ingest.cameras.teaching import as_toml, learned  # noqa: PLC0415

    paths = [*(pictures or ()), *(list_pictures(folder) if folder else ())]
    with in_one_line():
        figures = {path: measure(_read(path)) for path in paths}
        limits = learned(figures.values())
    outside = {str(path): [one.value for one in found.against(limits)] for path, found in figures.items()}
    outside = {path: conditions for path, conditions in outside.items() if conditions}
    if as_json:
        told = {"camera": camera, "pictures": len(figures), "limits": limits.model_dump(), "outside": outside}
        typer.echo(json.dumps(told))
        return
    typer.echo(f"# of {len(figures)} pictures; into the table [[cameras]] of {camera}\n{as_toml(limits)}")
    for path, conditions in outside.items():
        typer.echo(f"# {path} would not keep them: {', '.join(conditions)}", err=True)


@app.command()
def calibrate(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures of a chessboard.", exists=True, dir_okay=False)],
    square_mm: Annotated[float, typer.Option(callback=finite, min=0.001, help="Side of a square, in mm.")],
    corners: Annotated[str, typer.Option(help="Its inner corners: columns x rows.")] = "9x6",
    days: Annotated[int, typer.Option(min=1, help="For how many days the scale holds.")] = 180,
    as_json: Json = False,
) -> None:
    """Learn the scale of a view from pictures of a chessboard where parts lie, and print what goes into the recipe.

    Say with --corners how many inner corners it has. The uncertainty is twice the spread of the squares' sides; a scale
    that is over its date measures nothing, and what has to be measured diverts.
    """
    from linewarden.commands.context import now_ms  # noqa: PLC0415 - as above
    from linewarden_ingest.cameras.calibrating import calibrated  # noqa: PLC0415

    columns, _, rows = corners.partition("x")
    with in_one_line():
        if not (columns.isascii() and columns.isdigit() and rows.isascii() and rows.isdigit()):
            raise ValueError(f"--corners {corners}: give columns x rows, as 9x6")
        found = calibrated([_grey(path) for path in pictures], (int(columns), int(rows)), square_mm)
    told = {
        "mm_per_pixel": float(f"{found.mm_per_pixel:.6g}"),
        "scale_error": float(f"{found.scale_error:.3g}"),
        "scale_until_ms": now_ms() + days * 86_400_000,
    }
    if not as_json:
        typer.echo(f"# of {found.sides} sides in {len(pictures)} pictures; into the view of the recipe", err=True)
    typer.echo(json.dumps(told))


@app.command()
def since(
    camera: Name,
    begin: Annotated[
        str, typer.Option("--from", help="Since when it may not be believed: 14:00, -2h, 2026-01-31.")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Up to then; else to the last capture under a condition.")] = "",
    index: Index = DEFAULT_INDEX,
    no_follow: Offline = False,
    as_json: Json = False,
) -> None:
    """List the trusted passes of a camera since its last sure capture before the newest stretch of conditions.

    For containment where a condition was recognised late, or by a person: then `--from` says since when. Exits 1 where
    there is any.
    """
    from linewarden.commands import recorded  # noqa: PLC0415 - as above
    from linewarden_history.containment import suspected  # noqa: PLC0415

    from_ms, to_ms = (parse_time(text) if text else None for text in (begin, end))
    with opened_index(index, recorded.live, follow=not no_follow, hidden=as_json) as opened, in_words():
        found = suspected(opened, camera, from_ms, to_ms)
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
    else:
        span = f"{clock_of(found.from_ms)} to {clock_of(found.to_ms)}"
        sure = "" if found.is_sure else "; no sure capture before is known"
        typer.echo(f"{camera}, {span}: {', '.join(found.conditions) or 'no condition'}{sure}")
        rows: list[dict[str, Any]] = [
            {
                "visit": one["visit_id"],
                "part": one["part_id"] or "",
                "lot": one["lot_id"] or "",
                "captured": clock_of(one["captured_ms"]),
                "now": one["outcome"] or one["latest_routing"] or "",
            }
            for one in found.visits
        ]
        show(rows, empty="nothing passed on its word")
    raise typer.Exit(1 if found.visits else 0)


def _options(*, needed: bool = True) -> IngestOptions:
    from linewarden_ingest.settings import IngestSettings, with_cameras  # noqa: PLC0415 - as above

    options = IngestSettings.load().ingest
    return with_cameras(options) if needed or options.cameras or options.config else options


def _camera(options: IngestOptions, camera_id: str) -> CameraOptions:
    known = {one.camera_id: one for one in options.cameras}
    if camera_id not in known:
        raise typer.BadParameter(f"no camera {camera_id!r} is set; known are {', '.join(known)}")
    return known[camera_id]


def _as_row(one: CameraOptions) -> dict[str, Any]:
    limits = one.limits.model_dump(exclude_none=True)
    told = ", ".join(f"{name} {value}" for name, value in limits.items())
    return {
        "camera": one.camera_id,
        "view": one.view_id,
        "kind": one.kind,
        "live": "yes" if one.is_live else "no",
        "limits": told or "none: linewarden camera teach",
    }


def _attached(kind: str) -> Iterator[dict[str, str]]:
    """What a kind finds; a kind that cannot look says why, and hides no other."""
    from linewarden_ingest.cameras.interface import CameraFault  # noqa: PLC0415 - as above
    from linewarden_ingest.cameras.kinds import KINDS  # noqa: PLC0415
    from linewarden_runtime.errors import ConfigurationError  # noqa: PLC0415

    try:
        for one in KINDS.options_of(kind).discover():
            yield {"kind": kind, "device": ", ".join(f"{name} {value}" for name, value in one.items() if value)}
    except (CameraFault, ConfigurationError, ModuleNotFoundError) as error:
        yield {"kind": kind, "device": f"could not look: {error}"}


def _read(path: Path) -> Any:  # noqa: ANN401 - a picture as ingest would carry it
    from linewarden_ingest.cameras.pictures import Encoding, from_bytes  # noqa: PLC0415 - as above

    try:
        return from_bytes(path.read_bytes(), Encoding())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _grey(path: Path) -> Any:  # noqa: ANN401 - height x width, grey
    import cv2  # noqa: PLC0415 - as above
    import numpy as np  # noqa: PLC0415

    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError(f"{path} is no picture that can be read")
    return picture
