"""`linewarden archive write | list | verify | restore`: topics beyond retention."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands import recorded
from linewarden.commands.context import progress_bar, show
from linewarden.commands.options import Json

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_archive.archive import ArchiveWriter

app = typer.Typer(help="Records beyond retention: MCAP for pictures, Parquet for JSON.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the archive.", exists=True, file_okay=False)]
Topics = Annotated[list[str] | None, typer.Option("--topic", help="A logical topic; may be repeated. All by default.")]
KeyFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Sign every line with this key; 'audit key' makes one.")
]


@app.command()
def write(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder, or an archive to go on with.")],
    topic: Topics = None,
    key_file: KeyFile = None,
    accept_gap: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on where retention was faster; who says so is recorded.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Archive everything committed up to now, from where the archive ends; run it more often than frames expire.

    A run that was killed is gone on with by the next one. Exits 76 where retention took records before they were
    archived.
    """
    from rich.progress import Progress  # noqa: PLC0415 - nothing heavy before it is needed

    from linewarden_archive.archive import Archive  # noqa: PLC0415
    from linewarden_archive.archiver import Archiver  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415

    broker, namespace = recorded.live()
    with writer_of(folder, key_file, is_new=True) as writer, Progress(disable=as_json, transient=True) as bar:
        archiver = Archiver(broker, namespace, writer, _known(topic), SystemClock(), accept_gap=accept_gap)
        task = bar.add_task("archiving", total=None)
        archiver.catch_up(lambda done, total: bar.update(task, completed=done, total=total))
    told = {"records": archiver.records, "segments": archiver.segments, "head": Archive(folder).head}
    typer.echo(json.dumps(told) if as_json else f"{told['records']} records in {told['segments']} new segments")
    if not as_json:
        typer.echo(f"head {told['head']}: kept elsewhere, it proves that nothing was taken from the end")


@app.command(name="list")
def list_(folder: Folder, topic: Topics = None, as_json: Json = False) -> None:
    """List segments, what was deleted from them, and gaps."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - as above

    archive, chosen = Archive(folder), _known(topic)
    rows = []
    for one in archive.segments():
        if one.topic in chosen:
            gone = one.deletion
            deleted = "" if gone is None else f"{gone.records} by {gone.actor} at {_time(one.at_ms)}: {gone.reason}"
            row = {
                "segment": f"{one.topic}[{one.partition}]",
                "offsets": f"{one.first_offset}-{one.next_offset - 1}",
                "records": one.records,
                "from": _time(one.first_ms),
                "to": _time(one.last_ms),
                "bytes": one.size,
                "deleted": deleted,
            }
            rows.append(row)
    for gap in archive.gaps():
        where = f"{gap.topic}[{gap.partition}] offsets {gap.first_offset} to {gap.next_offset - 1}"
        typer.echo(f"gap: {where}, accepted by {gap.actor} at {_time(gap.at_ms)}", err=True)
    show(rows, as_json=as_json, empty="nothing is archived of these topics")


@app.command()
def verify(
    folder: Folder,
    public_key: Annotated[
        list[str] | None, typer.Option("--public-key", help="Every line must be signed by one of these.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="Digest of a line that must be there, as 'write' told it.")] = None,
    as_json: Json = False,
) -> None:
    """Hold every file against the manifest. Exits 1, and names file, bytes and first record, where anything differs.

    'audit verify --archive' holds what was decided against the notary's heads too.
    """
    from linewarden_archive.verify import verify_archive  # noqa: PLC0415 - as above

    with progress_bar("verifying", hidden=as_json) as advance:
        report = verify_archive(folder, public_key or (), head, looked=lambda _segment: advance(1))
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        for line in report.lines():
            typer.echo(line)
    raise typer.Exit(0 if report.holds else 1)


@app.command()
def restore(
    folder: Folder,
    into: Annotated[str, typer.Option(metavar="NAME", help="Namespace of its own: replay.<NAME>.")],
    topic: Topics = None,
    as_json: Json = False,
) -> None:
    """Write archived records, byte for byte, into new topics of a `replay.*` namespace, never into live ones."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - as above
    from linewarden_archive.restore import restore as write_back  # noqa: PLC0415
    from linewarden_schemas.ids import Namespace  # noqa: PLC0415

    archive, own = Archive(folder), Namespace(f"replay.{into.removeprefix('replay.')}")
    broker, _ = recorded.live()
    topics = _known(topic) if topic else list(archive.topics)
    total = sum(one.records for one in archive.segments() if one.topic in topics)
    with progress_bar("restoring", total, hidden=as_json) as advance:
        written = write_back(broker, archive, own, topics, lambda segment: advance(segment.records))
    told = {"namespace": own.name, "records": written}
    typer.echo(json.dumps(told) if as_json else f"{written} records restored to {own.name}.*")


@contextmanager
def writer_of(folder: Path, key_file: Path | None, *, is_new: bool = False) -> Iterator[ArchiveWriter]:
    """The right to write an archive, which has to be there unless it may be new; lines are signed with a key."""
    from linewarden_archive.archive import Archive, writing  # noqa: PLC0415 - as above
    from linewarden_audit.notary.signing import read_key  # noqa: PLC0415

    if not is_new:
        Archive(folder)  # a folder that is none is told of before anything is made in it
    with writing(folder, None if key_file is None else read_key(key_file)) as writer:
        yield writer


def _known(names: list[str] | None) -> list[str]:
    from linewarden_schemas.topics import CATALOGUE  # noqa: PLC0415 - as above

    unknown = sorted(set(names or ()) - CATALOGUE.keys())
    if unknown:
        raise typer.BadParameter(f"no topic {', '.join(unknown)}; known are {', '.join(CATALOGUE)}")
    return list(dict.fromkeys(names)) if names else list(CATALOGUE)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
