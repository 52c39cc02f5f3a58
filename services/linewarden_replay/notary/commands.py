"""`linewarden audit key` and `linewarden audit verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_runtime.ports import Broker
    from linewarden_schemas.ids import Namespace

    from .verify import PartitionReport

_COLUMNS = ("partition", "heads", "chained", "gone", "verified", "unsealed", "")


def key(
    out: Annotated[Path, typer.Option(help="New file for the private key; only its owner can read it.")],
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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document for programs.")] = False,
) -> None:
    """Hold dispositions and decisions against the signed heads. Exits 1, and names the first record that differs.

    Without --public-key the keys are those that the heads name: changes are found, but not whoever forged heads too.
    """
    from .verifying import keys_in_heads, verify_namespace  # noqa: PLC0415 - as above

    broker, namespace = _live()
    trusted = public_key or keys_in_heads(broker, namespace)
    reports = verify_namespace(broker, namespace, trusted)
    if as_json:
        document = {"holds": _holds(reports), "keys": "given" if public_key else "from the heads, not proven"}
        typer.echo(json.dumps(document | {"partitions": [report.as_dict() for report in reports]}))
    else:
        _show(reports, proven=bool(public_key))
    raise typer.Exit(0 if _holds(reports) else 1)


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
