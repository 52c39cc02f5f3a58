"""`linewarden line`: what a line runs, and in which state it is."""

from __future__ import annotations

from typing import Annotated

import typer

from linewarden.commands.context import SOURCE, actor, connect, now_ms, show
from linewarden.commands.options import Json, in_words
from linewarden_schemas.vocabulary import LineMode

app = typer.Typer(help="A line's state and active recipe.", no_args_is_help=True)

Who = Annotated[str | None, typer.Option("--actor", help="Who acts; the user of this shell by default.")]
Why = Annotated[str | None, typer.Option("--reason", help="Why, for the record.")]


@app.command()
def activate(
    line_id: Annotated[str, typer.Argument(help="The line.")],
    recipe: Annotated[str, typer.Argument(help="RECIPE@VERSION, or RECIPE@VERSION@DIGEST to name its content.")],
    who: Who = None,
    reason: Why = None,
) -> None:
    """Run a recipe version on a line from now on."""
    from linewarden_runtime.publishing import activate as publish  # noqa: PLC0415
    from linewarden_schemas.line import Activation, RecipeRef  # noqa: PLC0415

    with in_words():
        ref = RecipeRef.parse(recipe)
    here = connect()
    wanted = Activation(
        line_id=line_id,
        recipe=ref,
        from_ms=now_ms(),
        actor=actor(who),
        reason=reason,
    )
    written = publish(here.broker, here.namespace, wanted, SOURCE)
    typer.echo(f"{line_id} runs {written.recipe.short} from now on")


@app.command()
def state(
    line_id: Annotated[str, typer.Argument(help="The line.")],
    mode: Annotated[LineMode, typer.Argument(help="The state; only production enters statistics.")],
    order: Annotated[str | None, typer.Option(help="Order in work.")] = None,
    lot: Annotated[str | None, typer.Option(help="Lot in work.")] = None,
    product: Annotated[str | None, typer.Option(help="Product in work.")] = None,
    shift: Annotated[str | None, typer.Option(help="Shift.")] = None,
    target_rate: Annotated[float | None, typer.Option(min=0.01, help="Parts a minute that are planned.")] = None,
    gate: Annotated[bool, typer.Option("--gate", help="A gate reports what it did with each part.")] = False,
    who: Who = None,
    reason: Why = None,
) -> None:
    """Tell a change of the line's state, order, lot or product."""
    from linewarden_runtime.publishing import tell_state  # noqa: PLC0415
    from linewarden_schemas.line import LineState  # noqa: PLC0415

    here = connect()
    told = LineState(
        line_id=line_id,
        mode=mode,
        since_ms=now_ms(),
        actor=actor(who),
        order_id=order,
        lot_id=lot,
        product_id=product,
        shift=shift,
        target_rate=target_rate,
        reason=reason,
        has_gate=gate,
    )
    before = tell_state(here.broker, here.namespace, told, SOURCE)
    was = "" if before is None or before.mode is mode else f"; it was in {before.mode.value}"
    typer.echo(f"{line_id} is in {mode.value}{was}")


@app.command(name="show")
def show_(
    line_id: Annotated[str, typer.Argument(help="The line.")],
    as_json: Json = False,
) -> None:
    """Show what a line runs and in which state it is."""
    from linewarden_runtime.books import LineBook  # noqa: PLC0415

    here = connect()
    with LineBook(here.broker, here.namespace) as book:
        told, active = book.state(line_id), book.activation(line_id, now_ms())
    row = {
        "line": line_id,
        "state": told.mode.value if told else "unknown: linewarden line state",
        "order": (told and told.order_id) or "-",
        "gate": "reports" if told and told.has_gate else "none",
        "recipe": active.recipe.name if active else "none: linewarden line activate",
        "digest": (active and active.recipe.digest) or "-",
        "by": active.actor if active else "-",
    }
    show([row], as_json=as_json)
