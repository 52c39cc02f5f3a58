"""`linewarden retention plan | apply` and `linewarden hold add | list | release`: how long an archive keeps what."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .archive import Folder, Json, KeyFile
from .context import actor, now_ms, show

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from collections.abc import Iterator

    from linewarden_archive.archive import ArchiveWriter
    from linewarden_archive.retention import Looked, RetentionPlan

app = typer.Typer(help="Delete by rule what an archive kept long enough.", no_args_is_help=True)
hold_app = typer.Typer(help="Legal holds: nothing of a lot is deleted until it is released.", no_args_is_help=True)

Rules = Annotated[
    Path, typer.Option("--policy", metavar="TOML", help="Rules by topic, product and class.", exists=True)
]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who says so; the user of this shell by default.")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded.")]
Lot = Annotated[str, typer.Argument(metavar="LOT")]


@app.command()
def plan(folder: Folder, policy: Rules, as_json: Json = False) -> None:
    """Say what the rules would delete now, by topic, product and class. Nothing is changed."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_archive.retention import plan as judge  # noqa: PLC0415
    from linewarden_archive.rules import read_policy  # noqa: PLC0415

    with _bar(hidden=as_json) as looked:
        made = judge(Archive(folder), read_policy(policy), now_ms(), looked)
    _tell(made, as_json=as_json, done=False)


@app.command()
def apply(
    folder: Folder,
    policy: Rules,
    by: By = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Delete what is due, for ever; digests stay, so that the chain can still be verified. Asks first."""
    from linewarden_archive.retention import apply as delete  # noqa: PLC0415 - as above
    from linewarden_archive.rules import read_policy  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415

    rules = read_policy(policy)
    if not yes:
        plan(folder, policy, as_json=False)
        typer.confirm("Delete this for ever?", abort=True)
    with _writing(folder, key_file) as writer, _bar(hidden=as_json) as looked:
        made = delete(writer, rules, actor(by), SystemClock(), looked)
    _tell(made, as_json=as_json, done=True)


@hold_app.command()
def add(folder: Folder, lot: Lot, reason: Reason, by: By = None, key_file: KeyFile = None) -> None:
    """Put a lot on hold. What was not archived before is not held: frames expire in their topic all the same."""
    from linewarden_archive.entries import Held  # noqa: PLC0415 - as above

    with _writing(folder, key_file) as writer:
        writer.enter(Held(lot_id=lot, actor=actor(by), reason=reason, at_ms=now_ms()))
    typer.echo(f"{lot} is on hold")


@hold_app.command()
def release(folder: Folder, lot: Lot, reason: Reason, by: By = None, key_file: KeyFile = None) -> None:
    """End a hold. Exits 1 where there is none."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - as above
    from linewarden_archive.entries import Released  # noqa: PLC0415

    with _writing(folder, key_file) as writer:
        if lot not in Archive(folder).held_lots():
            typer.echo(f"{lot} is not on hold", err=True)
            raise typer.Exit(1)
        writer.enter(Released(lot_id=lot, actor=actor(by), reason=reason, at_ms=now_ms()))
    typer.echo(f"{lot} is released")


@hold_app.command(name="list")
def list_(folder: Folder, as_json: Json = False) -> None:
    """List the lots on hold now, with who ordered it, when and why."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - as above

    rows = [
        {
            "lot": one.lot_id,
            "since": datetime.fromtimestamp(one.at_ms / 1000, UTC).isoformat(timespec="seconds"),
            "by": one.actor,
            "reason": one.reason,
        }
        for one in Archive(folder).held_lots().values()
    ]
    show(rows, as_json=as_json, empty="no lot is on hold")


@contextmanager
def _writing(folder: Path, key_file: Path | None) -> Iterator[ArchiveWriter]:
    from linewarden_archive.archive import Archive, writing  # noqa: PLC0415 - as above
    from linewarden_audit.notary.signing import read_key  # noqa: PLC0415

    Archive(folder)  # a folder that is none is told of before anything is made in it
    with writing(folder, None if key_file is None else read_key(key_file)) as writer:
        yield writer


@contextmanager
def _bar(*, hidden: bool) -> Iterator[Looked]:
    from rich.progress import Progress  # noqa: PLC0415 - as above

    with Progress(disable=hidden, transient=True) as bar:
        task = bar.add_task("segments", total=None)
        yield lambda _segment: bar.advance(task)


def _tell(made: RetentionPlan, *, as_json: bool, done: bool) -> None:
    rows, total = made.rows(), sum(made.due.values())
    if as_json:
        typer.echo(json.dumps({"deleted" if done else "due": total, "rows": rows}))
        return
    show(rows, as_json=False, empty="the rules speak of nothing in this archive")
    typer.echo(f"{total} records {'deleted' if done else 'are due'}, in {len(made.cuts)} segments")
