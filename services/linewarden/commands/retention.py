"""`linewarden retention plan | apply`: how long an archive keeps what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.archive import Folder, KeyFile, writer_of
from linewarden.commands.context import actor, now_ms, progress_bar, show
from linewarden.commands.options import By, Json

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_archive.retention import RetentionPlan

app = typer.Typer(help="Delete by rule what an archive kept long enough.", no_args_is_help=True)

Rules = Annotated[
    Path, typer.Option("--policy", metavar="TOML", help="Rules by topic, product and class.", exists=True)
]


@app.command()
def plan(folder: Folder, policy: Rules, as_json: Json = False) -> None:
    """Say what the rules would delete now, by topic, product and class. Nothing is changed."""
    from linewarden_archive.archive import Archive  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_archive.retention import plan as judge  # noqa: PLC0415
    from linewarden_archive.rules import read_policy  # noqa: PLC0415

    with progress_bar("segments", hidden=as_json) as advance:
        made = judge(Archive(folder), read_policy(policy), now_ms(), lambda _segment: advance(1))
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
    with writer_of(folder, key_file) as writer, progress_bar("segments", hidden=as_json) as advance:
        made = delete(writer, rules, actor(by), SystemClock(), lambda _segment: advance(1))
    _tell(made, as_json=as_json, done=True)


def _tell(made: RetentionPlan, *, as_json: bool, done: bool) -> None:
    rows, total = made.rows(), sum(made.due.values())
    if as_json:
        typer.echo(json.dumps({"deleted" if done else "due": total, "rows": rows}))
        return
    show(rows, as_json=False, empty="the rules speak of nothing in this archive")
    typer.echo(f"{total} records {'deleted' if done else 'are due'}, in {len(made.cuts)} segments")
