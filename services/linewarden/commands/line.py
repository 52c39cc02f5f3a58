"""`linewarden line`: what a line runs, in which state it is, and what is done with it."""

from __future__ import annotations

from typing import Annotated

import typer

from linewarden.commands import line_changes
from linewarden.commands.context import SOURCE, actor, connect, now_ms, show, show_table
from linewarden.commands.line_acting import Data, LineName, Reason, SignIn, Stdin, Who, acted, anybody, signed_in
from linewarden.commands.options import Json, clock_of, in_words
from linewarden_schemas.vocabulary import LineMode, LockCause

app = typer.Typer(help="A line's state and active recipe, and the acts that change them.", no_args_is_help=True)
app.add_typer(line_changes.changeover, name="changeover")
app.add_typer(line_changes.check, name="check")
app.add_typer(line_changes.bypass, name="bypass")


@app.command()
def activate(
    line_id: LineName,
    recipe: Annotated[str, typer.Argument(help="RECIPE@VERSION, or RECIPE@VERSION@DIGEST to name its content.")],
    who: Who = None,
    reason: Reason = None,
) -> None:
    """Run a recipe version on a line from now on, without a changeover."""
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
    line_id: LineName,
    mode: Annotated[LineMode, typer.Argument(help="The state; only production enters statistics.")],
    order: Annotated[str | None, typer.Option(help="Order in work.")] = None,
    lot: Annotated[str | None, typer.Option(help="Lot in work.")] = None,
    product: Annotated[str | None, typer.Option(help="Product in work.")] = None,
    shift: Annotated[str | None, typer.Option(help="Shift.")] = None,
    target_rate: Annotated[float | None, typer.Option(min=0.01, help="Parts a minute that are planned.")] = None,
    gate: Annotated[bool, typer.Option("--gate", help="A gate reports what it did with each part.")] = False,
    who: Who = None,
    reason: Reason = None,
) -> None:
    """Tell a change of the line's state, order, lot or product; locks stay."""
    from linewarden_domain.line_acts import tell  # noqa: PLC0415
    from linewarden_domain.line_situation import Work  # noqa: PLC0415

    work = Work(order, lot, product, shift, target_rate)
    before = acted(line_id, lambda line, _: tell(line, anybody(who), mode, work, has_gate=gate, reason=reason))
    was = "" if before.state is None or before.mode is mode else f"; it was in {before.mode.value}"
    locks = "" if before.state is None or not before.state.locks else "; it is locked, so nothing passes"
    typer.echo(f"{line_id} is in {mode.value}{was}{locks}")


@app.command(name="show")
def show_(line_id: LineName, as_json: Json = False) -> None:
    """Show what a line runs, in which state it is, and what keeps it from passing."""
    from linewarden_runtime.acting import look_at_line  # noqa: PLC0415

    here = connect()
    line = look_at_line(here.broker, here.namespace, line_id, now_ms())
    state, active = line.state, line.active
    change, check = line.open_changeover, line.open_check
    row = {
        "line": line_id,
        "state": state.mode.value if state else "unknown: linewarden line state",
        "passes": "yes" if state and state.passes(line.now_ms) else "no",
        "locks": ", ".join(one.cause.value for one in state.locks) if state and state.locks else "none",
        "until": clock_of(state.valid_until_ms) or "-" if state else "-",
        "order": (state and state.order_id) or "-",
        "gate": "reports" if state and state.has_gate else "none",
        "recipe": active.recipe.name if active else "none: linewarden line activate",
        "digest": (active and active.recipe.digest) or "-",
        "changeover": change.stage.value if change else "none",
        "check": "under way" if check else "none",
        "by": active.actor if active else "-",
    }
    if as_json:
        show([row], as_json=True)
    else:
        head, *rest = row.items()
        show_table(head, rest)


@app.command()
def lock(line_id: LineName, reason: Annotated[str, typer.Option("--reason", help="Why.")], who: Who = None) -> None:
    """Lock passing on a line, whatever its state; anybody may."""
    from linewarden_domain.line_acts import lock as locking  # noqa: PLC0415

    acted(line_id, lambda line, _: locking(line, anybody(who), LockCause.PERSON, reason))
    typer.echo(f"{line_id} is locked: nothing passes until a lead lifts it")


@app.command()
def unlock(
    line_id: LineName,
    reason: Annotated[str, typer.Option("--reason", help="What was done about its cause.")],
    lead: SignIn = None,
    password_stdin: Stdin = False,
    data: Data = None,
    cause: Annotated[LockCause | None, typer.Option(help="The locks of this cause alone.")] = None,
) -> None:
    """Lift the locks of a line; takes a lead who signs in."""
    from linewarden_domain.line_acts import unlock as lifting  # noqa: PLC0415

    who = signed_in(lead, from_stdin=password_stdin, data=data)
    acted(line_id, lambda line, _: lifting(line, who, reason, cause))
    typer.echo(f"{line_id}: lifted by {lead}")
