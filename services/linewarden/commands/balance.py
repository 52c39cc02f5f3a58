"""`linewarden audit balance` and `linewarden audit periods`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands import recorded
from linewarden.commands.context import actor, now_ms, show_table
from linewarden.commands.options import By, Json, finite

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_audit.findings import BalanceReport


def balance(
    margin_s: Annotated[
        float, typer.Option(callback=finite, min=0, help="How long past its deadline something may be under way.")
    ] = 30,
    pending_s: Annotated[
        float, typer.Option(callback=finite, min=0, help="How long a decision may wait for its undo window.")
    ] = 60,
    close: Annotated[bool, typer.Option("--close", help="Close the period where it adds up.")] = False,
    by: By = None,
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
    from linewarden_audit.audit import read_ledger  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_audit.balance import balance as add_up  # noqa: PLC0415
    from linewarden_audit.findings import Allowance  # noqa: PLC0415
    from linewarden_audit.notary.signing import read_key  # noqa: PLC0415
    from linewarden_audit.periods import balance_unclosed, close_period  # noqa: PLC0415

    if close and whole:
        raise typer.BadParameter("what is closed already is not closed again: give --close or --whole")
    allowance = Allowance(round(margin_s * 1000), round(pending_s * 1000))
    broker, namespace = recorded.live()
    period = None
    if close:
        signer = None if key is None else read_key(key)
        report, period = close_period(broker, namespace, now_ms(), actor(by), allowance, signer)
    elif whole:
        report = add_up(read_ledger(broker, namespace), now_ms(), allowance)
    else:
        report = balance_unclosed(broker, namespace, now_ms(), allowance).report
    if as_json:
        told = report.as_dict() | {"period": None if period is None else period.model_dump(mode="json")}
        typer.echo(json.dumps(told))
    else:
        _tell(report)
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
    from linewarden_audit.periods import first_break, read_periods  # noqa: PLC0415 - as above
    from linewarden_history.reading import place  # noqa: PLC0415
    from linewarden_history.reports.rendering import when  # noqa: PLC0415

    broker, namespace = recorded.live()
    strays: list[str] = []
    found = read_periods(broker, namespace, lambda one: strays.append(place(one)))
    broken = first_break(found, public_key or (), signed=bool(public_key))
    if as_json:
        rows = [one.period.model_dump(mode="json", exclude_none=True) | {"digest": one.digest} for one in found]
        typer.echo(json.dumps({"holds": broken is None, "broken": broken, "periods": rows, "strays": strays}))
    else:
        columns = ("", "closed", "visits", "final", "carried in", "reopened", "left open", "by", "signed")
        told = [
            (
                *(one.number, when(one.to_ms), one.visits, one.final, one.carried, one.reopened, len(one.open_ids)),
                *(one.closed_by or "", "yes" if one.signature else "no"),
            )
            for one in (closed.period for closed in found)
        ]
        show_table(columns, told, f"{len(found)} closed periods")
        for one in strays:
            typer.echo(f"a record that is no period: {one}")
        typer.echo(broken or "every period begins where the one before ended")
    raise typer.Exit(0 if broken is None else 1)


def _tell(report: BalanceReport) -> None:
    figures = [
        (name.replace("_", " "), len(value) if isinstance(value, tuple) else value)
        for name, value in report.as_dict().items()
        if name not in {"closes", "at_ms", "findings"}
    ]
    show_table(("", "ids"), figures, "the balance closes" if report.closes else "THE BALANCE DOES NOT CLOSE")
    most = 40
    for one in report.findings[:most]:
        typer.echo(f"{one.kind.value}: {one.name}: {one.reason}")
    if len(report.findings) > most:
        typer.echo(f"and {len(report.findings) - most} more; all of them with --json")
    for name in report.taken_back[:most]:
        typer.echo(f"passed too late and taken back: {name}")
    for name in report.strays[:most]:
        typer.echo(f"a record that does not belong there: {name}")
