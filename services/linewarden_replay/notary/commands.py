"""`linewarden audit key` and `linewarden audit verify`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden_replay.choice import Archived
from linewarden_runtime.files import writable_file

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_replay.archive.findings import ArchiveReport
    from linewarden_runtime.ports import Broker
    from linewarden_schemas.ids import Namespace

    from .verify import PartitionReport

_COLUMNS = ("partition", "heads", "chained", "gone", "verified", "unsealed", "")


def key(
    out: Annotated[
        Path, typer.Option(callback=writable_file, help="New file for the private key; only its owner can read it.")
    ],
) -> None:
    """Make the key that the notary signs with, and print the public key that verify trusts."""
    from .signing import make_key  # noqa: PLC0415 - nothing heavy before it is needed

    typer.echo(make_key(out))
    typer.echo(f"LINEWARDEN_NOTARY__KEY_FILE={out} linewarden run notary", err=True)


def verify(
    public_key: Annotated[
        list[str] | None,
        typer.Option("--public-key", help="A key that is trusted, as 'audit key' printed it; may be repeated."),
    ] = None,
    archive: Archived = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document for programs.")] = False,
) -> None:
    """Hold dispositions and decisions against the signed heads. Exits 1, and names the first record that differs.

    Without --public-key the keys are those that the heads name: changes are found, but not whoever forged heads too.
    With --archive its files are held against their manifest as well.
    """
    from rich.progress import Progress, TextColumn  # noqa: PLC0415 - nothing heavy before it is needed

    columns = (TextColumn("verifying"), TextColumn("{task.completed} {task.description}"))
    with Progress(*columns, disable=as_json, transient=True) as bar:
        task = bar.add_task("records" if archive is None else "segments", total=None)
        files, reports = _verified(archive, public_key or [], lambda *_: bar.advance(task))
    holds = _holds(reports) and (files is None or files.holds)
    if as_json:
        document = {"holds": holds, "keys": "given" if public_key else "from the heads, not proven"}
        more = {} if files is None else {"files": files.as_dict()}
        typer.echo(json.dumps(document | more | {"partitions": [report.as_dict() for report in reports]}))
    else:
        for line in [] if files is None else files.lines():
            typer.echo(line)
        _show(reports, proven=bool(public_key))
    raise typer.Exit(0 if holds else 1)


def _verified(
    folder: Path | None, keys: list[str], looked: Callable[..., None]
) -> tuple[ArchiveReport | None, list[PartitionReport]]:
    from .verifying import keys_in_heads, verify_namespace  # noqa: PLC0415 - as above

    if folder is None:
        broker, namespace = _live()
        return None, verify_namespace(broker, namespace, keys or keys_in_heads(broker, namespace), looked)
    from linewarden_replay.archive.archive import Archive  # noqa: PLC0415 - as above
    from linewarden_replay.archive.chain import heads, verify_chain  # noqa: PLC0415
    from linewarden_replay.archive.verify import verify_archive  # noqa: PLC0415

    files = verify_archive(folder, looked=looked)
    if not files.is_read:
        return files, []
    opened = Archive(folder)
    return files, verify_chain(opened, keys or {head.public_key for head in heads(opened)}, looked)


def _live() -> tuple[Broker, Namespace]:
    from linewarden_replay.bootstrap import live  # noqa: PLC0415 - as above

    return live()


def _holds(reports: list[PartitionReport]) -> bool:
    return all(report.holds for report in reports)


def _show(reports: list[PartitionReport], *, proven: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    title = "the chain holds" if _holds(reports) else "THE CHAIN IS BROKEN"
    table = Table(*_COLUMNS, title=title if proven else f"{title} (keys as the heads name them: not proven)")
    for one in reports:
        said = "" if one.finding is None else one.finding.fault.value
        figures = (one.heads, one.chained, one.gone, one.verified, one.unsealed)
        table.add_row(f"{one.topic}[{one.partition}]", *map(str, figures), said)
    Console().print(table)
    for one in reports:
        if one.finding is not None:
            where = "" if one.finding.offset is None else f", offset {one.finding.offset} ({one.finding.key})"
            place = f"{one.topic}[{one.partition}], place {one.finding.index}{where}"
            typer.echo(f"{place}: {one.finding.fault.value}: {one.finding.detail}")
