"""`linewarden audit balance` and `linewarden audit periods`."""

from __future__ import annotations

import getpass
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_audit.findings import Allowance, BalanceReport
    from linewarden_audit.periods import Closed
    from linewarden_schemas.operations import Balance

_SHOWN = 40
_COLUMNS = ("", "closed", "visits", "final", "carried in", "reopened", "left open", "by", "signed")

Json = Annotated[bool, typer.Option("--json", help="One JSON document for programs instead of a table.")]


def balance(
    margin_s: Annotated[float, typer.Option(min=0, help="How long past its deadline something may be under way.")] = 30,
    pending_s: Annotated[float, typer.Option(min=0, help="How long a decision may wait for its undo window.")] = 60,
    close: Annotated[bool, typer.Option("--close", help="Close the period where it adds up.")] = False,
    by: Annotated[str | None, typer.Option(help="Who closes; the user of this shell by default.")] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Sign the period with this key of 'audit key'.", envvar="LINEWARDEN_NOTARY__KEY_FILE"),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Everything that is kept, closed periods among it.")] = False,
    as_json: Json = False,
) -> None:
    """Balance sets of ids, and hold every visit against what it should have become, since the last closed period.

    With --close what adds up becomes a closed period, and the next one begins exactly there; ids that are open are
    carried on. Exits 1 where it does not add up: then nothing is closed, and what is missing is named.
    """
    from linewarden_audit.findings import Allowance  # noqa: PLC0415 - nothing heavy before it is needed

    if close and whole:
        raise typer.BadParameter("what is closed already is not closed again: give --close or --whole")
    allowance = Allowance(round(margin_s * 1000), round(pending_s * 1000))
    report, period = _closed(allowance, by, key) if close else (_looked(allowance, whole=whole), None)
    if as_json:
        told = report.as_dict() | {"period": None if period is None else period.model_dump(mode="json")}
        typer.echo(json.dumps(told))
    else:
        _print_balance(report)
        if period is not None:
            typer.echo(f"period {period.number} is closed; {len(period.open_ids)} visits are carried on")
        elif close:
            typer.echo("nothing is closed: what is named above has to be answered for first", err=True)
    raise typer.Exit(0 if report.closes else 1)


def periods(
    public_key: Annotated[
        list[str] | None, typer.Option("--public-key", help="Every period has to be signed by one of these.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the closed periods. Exits 1, and names the first one that does not follow on the one before."""
    from linewarden.commands.recorded import live  # noqa: PLC0415 - as above
    from linewarden_audit.periods import first_break, read_periods  # noqa: PLC0415
    from linewarden_history.reading import place  # noqa: PLC0415

    broker, namespace = live()
    strays: list[str] = []
    found = read_periods(broker, namespace, lambda one: strays.append(place(one)))
    broken = first_break(found, public_key or (), signed=bool(public_key))
    if as_json:
        rows = [one.period.model_dump(mode="json", exclude_none=True) | {"digest": one.digest} for one in found]
        typer.echo(json.dumps({"holds": broken is None, "broken": broken, "periods": rows, "strays": strays}))
    else:
        _print_periods(found)
        for one in strays:
            typer.echo(f"a record that is no period: {one}")
        typer.echo(broken or "every period begins where the one before ended")
    raise typer.Exit(0 if broken is None else 1)


def _looked(allowance: Allowance, *, whole: bool) -> BalanceReport:
    from linewarden.commands.recorded import live  # noqa: PLC0415
    from linewarden_audit.audit import read_ledger  # noqa: PLC0415 - as above
    from linewarden_audit.balance import balance as add_up  # noqa: PLC0415
    from linewarden_audit.periods import balance_unclosed  # noqa: PLC0415

    broker, namespace = live()
    if whole:
        return add_up(read_ledger(broker, namespace), _now_ms(), allowance)
    return balance_unclosed(broker, namespace, _now_ms(), allowance).report


def _closed(allowance: Allowance, by: str | None, key: Path | None) -> tuple[BalanceReport, Balance | None]:
    from linewarden.commands.recorded import live  # noqa: PLC0415 - as above
    from linewarden_audit.notary.signing import read_key  # noqa: PLC0415
    from linewarden_audit.periods import close_period  # noqa: PLC0415

    broker, namespace = live()
    signer = None if key is None else read_key(key)
    return close_period(broker, namespace, _now_ms(), by or getpass.getuser(), allowance, signer)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _print_balance(report: BalanceReport) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    told = report.as_dict()
    table = Table("", "ids", title="the balance closes" if report.closes else "THE BALANCE DOES NOT CLOSE")
    for name, value in told.items():
        if name not in {"closes", "at_ms", "findings"}:
            table.add_row(name.replace("_", " "), str(len(value) if isinstance(value, tuple) else value))
    Console().print(table)
    for one in report.findings[:_SHOWN]:
        typer.echo(f"{one.kind.value}: {one.name}: {one.reason}")
    if len(report.findings) > _SHOWN:
        typer.echo(f"and {len(report.findings) - _SHOWN} more; all of them with --json")
    for name in report.taken_back[:_SHOWN]:
        typer.echo(f"passed too late and taken back: {name}")
    for name in report.strays[:_SHOWN]:
        typer.echo(f"a record that does not belong there: {name}")


def _print_periods(found: list[Closed]) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    from linewarden_history.reports.rendering import when  # noqa: PLC0415

    table = Table(*_COLUMNS, title=f"{len(found)} closed periods")
    for closed in found:
        one = closed.period
        cells: list[Any] = [one.number, when(one.to_ms), one.visits, one.final]
        cells += [one.carried, one.reopened, len(one.open_ids), one.closed_by or "", "yes" if one.signature else "no"]
        table.add_row(*map(str, cells))
    Console().print(table)
