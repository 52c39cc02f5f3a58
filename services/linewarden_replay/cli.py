"""`linewarden replay` and `linewarden audit`: typer apps, mounted by the command line."""

from __future__ import annotations

import typer

from .rerun.commands import replay

app = typer.Typer(help="Inspect recorded frames again, beside the live line and never into it.", no_args_is_help=True)
audit_app = typer.Typer(help="Prove that nothing was lost, doubled or passed unsafely.", no_args_is_help=True)

app.callback(invoke_without_command=True)(replay)
