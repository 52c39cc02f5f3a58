"""`linewarden audit`: what proves that nothing was lost, doubled or passed unsafely."""

from __future__ import annotations

import typer

from linewarden.commands import audit_report, balance, notary

app = typer.Typer(help="Prove that nothing was lost, doubled or passed unsafely.", no_args_is_help=True)
for command in (balance.balance, balance.periods, notary.key, notary.verify, notary.anchor, audit_report.report):
    app.command()(command)
