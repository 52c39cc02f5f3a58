"""`linewarden line changeover | check | bypass`: what changes a line step by step, and what it puts in doubt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.context import connect, now_ms, show
from linewarden.commands.line_acting import Data, LineName, Reason, SignIn, Stdin, Who, acted, anybody, signed_in
from linewarden.commands.options import DEFAULT_INDEX, Index, Json, clock_of, in_words, opened_index, parse_time

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_schemas.changeover import Changeover, MasterCheck

changeover = typer.Typer(help="From one recipe to another, step by step.", no_args_is_help=True)
check = typer.Typer(
    help="Master parts: what they have to get, and what to contain if they do not.", no_args_is_help=True
)
bypass = typer.Typer(help="The plant lets parts past the inspection by its own key.", no_args_is_help=True)
_MINUTE_MS = 60_000


@changeover.command()
def request(
    line_id: LineName,
    recipe: Annotated[str, typer.Argument(help="RECIPE@VERSION, or RECIPE@VERSION@DIGEST.")],
    order: Annotated[str | None, typer.Option(help="Order in work from now on.")] = None,
    lot: Annotated[str | None, typer.Option(help="Lot in work from now on.")] = None,
    who: Who = None,
    reason: Reason = None,
) -> None:
    """Begin: the recipe is active at once, the line in verification, and nothing passes until it is released."""
    from linewarden_domain.changing_over import change_over  # noqa: PLC0415 - nothing heavy before its need
    from linewarden_domain.line_situation import Work  # noqa: PLC0415
    from linewarden_runtime.acting import known_recipe  # noqa: PLC0415
    from linewarden_schemas.line import RecipeRef  # noqa: PLC0415

    with in_words():
        ref = RecipeRef.parse(recipe)
    work = Work(order, lot)
    acted(line_id, lambda line, known: change_over(line, anybody(who), known_recipe(known, ref), work, reason))
    typer.echo(f"{line_id} is being changed over to {ref.name}; see: linewarden line changeover show {line_id}")


@changeover.command(name="show")
def show_changeover(line_id: LineName, as_json: Json = False) -> None:
    """Show how far the last changeover has come, and what the next step waits for."""
    found = _looked(line_id)[0]
    if as_json:
        typer.echo(json.dumps(None if found is None else found.model_dump(mode="json")))
    elif found is None:
        typer.echo(f"{line_id} was never changed over")
    else:
        typer.echo(f"{line_id} to {found.recipe.name}, requested by {found.requested_by}: {found.stage.value}")
        for one in found.waiting_for:
            typer.echo(f"  {one}")


@changeover.command()
def release(
    line_id: LineName,
    purged: Annotated[bool, typer.Option("--purged", help="I looked: no part of before is on the line.")] = False,
    lead: SignIn = None,
    password_stdin: Stdin = False,
    data: Data = None,
    reason: Reason = None,
) -> None:
    """Release the line to production, every step being done; takes a lead who signs in."""
    from linewarden_domain.changing_over import release as releasing  # noqa: PLC0415 - as above

    who = signed_in(lead, from_stdin=password_stdin, data=data)
    acted(line_id, lambda line, _: releasing(line, who, is_purged=purged, reason=reason))
    typer.echo(f"{line_id} is in production, released by {lead}")


@changeover.command()
def withdraw(line_id: LineName, who: Who = None, reason: Reason = None) -> None:
    """Take a changeover back; recipe and state stay as they are."""
    from linewarden_domain.changing_over import withdraw as withdrawing  # noqa: PLC0415 - as above

    acted(line_id, lambda line, _: withdrawing(line, anybody(who), reason))
    typer.echo(f"{line_id}: the changeover is withdrawn; the line stays in its state")


@check.command()
def begin(line_id: LineName, who: Who = None) -> None:
    """Begin a check: run the recipe's master parts past the cameras now; nothing passes meanwhile."""
    from linewarden_domain.changing_over import begin_check  # noqa: PLC0415 - as above

    acted(line_id, lambda line, _: begin_check(line, anybody(who)))
    typer.echo(f"{line_id}: run the master parts now; see: linewarden line check show {line_id}")


@check.command(name="show")
def show_check(line_id: LineName, as_json: Json = False) -> None:
    """Show the last check: what each master part had to get in each view, and what it got."""
    found = _looked(line_id)[1]
    if as_json:
        typer.echo(json.dumps(None if found is None else found.model_dump(mode="json")))
        return
    if found is None:
        typer.echo(f"no master part was ever run on {line_id}")
        return
    outcome = "under way" if found.outcome is None else found.outcome.value
    due = f"; the next one is due at {clock_of(found.next_due_ms)}" if found.next_due_ms else ""
    typer.echo(f"{line_id}, {found.why.value}, begun {clock_of(found.began_ms)} by {found.began_by}: {outcome}{due}")
    rows = [
        {
            "part": one.part_id,
            "view": one.view_id,
            "expected": one.expected.value,
            "got": one.verdict.value if one.verdict else "nothing yet",
            "visit": one.visit_id or "",
        }
        for one in found.answers
    ]
    show(rows, empty="nothing was judged yet")


@check.command()
def contain(line_id: LineName, index: Index = DEFAULT_INDEX, as_json: Json = False) -> None:
    """List the trusted passes since the last good check before the newest one that failed or was not made.

    Exits 1 where there is any.
    """
    found = _looked(line_id)[2]
    if found is None:
        typer.echo("[]" if as_json else f"no check of {line_id} has failed or is missing")
        return
    _list(line_id, [(found.contain_from_ms or 0, found.contain_to_ms or 0)], index, as_json=as_json, passes=True)


@bypass.command(name="begin")
def begin_bypass(
    line_id: LineName,
    holder: Annotated[str, typer.Option("--person", help="Who turned the plant's key.")],
    reason: Annotated[str, typer.Option("--reason", help="Why the inspection is bypassed.")],
    minutes: Annotated[int, typer.Option("--minutes", min=1, help="When it ends: so many minutes from now.")],
    who: Who = None,
) -> None:
    """Record a bypass. No gate opens by it: the plant opens it by its own key, and every part is listed."""
    from linewarden_domain.line_acts import begin_bypass as beginning  # noqa: PLC0415 - as above

    until_ms = now_ms() + minutes * _MINUTE_MS
    acted(line_id, lambda line, _: beginning(line, anybody(who), holder, until_ms, reason))
    typer.echo(f"{line_id} is in bypass until {clock_of(until_ms)}; nothing passes by linewarden meanwhile")


@bypass.command(name="end")
def end_bypass(line_id: LineName, who: Who = None, reason: Reason = None) -> None:
    """Say that the key is back; the line is stopped until somebody tells its state."""
    from linewarden_domain.line_acts import end_bypass as ending  # noqa: PLC0415 - as above

    acted(line_id, lambda line, _: ending(line, anybody(who), reason))
    typer.echo(f"{line_id} is stopped; list what went past: linewarden line bypass list {line_id}")


@bypass.command(name="list")
def list_bypass(
    line_id: LineName,
    begin: Annotated[str, typer.Option("--from", help="Bypasses since then: ISO 8601, epoch ms; all by default.")] = "",
    index: Index = DEFAULT_INDEX,
    as_json: Json = False,
) -> None:
    """List every part that was captured while a line was in bypass. Exits 1 where there is any."""
    from linewarden_history.shifts.periods import periods  # noqa: PLC0415
    from linewarden_history.shifts.report import states_of  # noqa: PLC0415 - as above
    from linewarden_schemas.vocabulary import LineMode  # noqa: PLC0415

    here, from_ms = connect(), parse_time(begin) if begin else 0
    told = periods(states_of(here.broker, here.namespace), from_ms, now_ms(), line_id)
    spans = [(one.begin_ms, one.end_ms) for one in told if one.mode is LineMode.BYPASS]
    _list(line_id, spans, index, as_json=as_json, passes=False)


def _list(line_id: str, spans: list[tuple[int, int]], index: Index, *, as_json: bool, passes: bool) -> None:
    from linewarden.commands import recorded  # noqa: PLC0415 - as above
    from linewarden_history.containment import captured_within  # noqa: PLC0415

    found: list[dict[str, Any]] = []
    with opened_index(index, recorded.live, hidden=as_json) as opened:
        for from_ms, to_ms in spans:
            found += captured_within(opened, line_id, from_ms, to_ms, passes=passes)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for from_ms, to_ms in spans:
            typer.echo(f"{line_id}, {clock_of(from_ms) if from_ms else 'the beginning'} to {clock_of(to_ms)}")
        rows = [
            {
                "visit": one["visit_id"],
                "part": one["part_id"] or "",
                "lot": one["lot_id"] or "",
                "captured": clock_of(one["captured_ms"]),
                "now": one["outcome"] or one["latest_routing"] or "",
            }
            for one in found
        ]
        show(rows, empty="no part is to be contained")
    raise typer.Exit(1 if found else 0)


def _looked(line_id: str) -> tuple[Changeover | None, MasterCheck | None, MasterCheck | None]:
    """The last changeover, the last check, and the last one that did not pass."""
    from linewarden_runtime.acting import ActBook  # noqa: PLC0415 - as above

    here = connect()
    with ActBook(here.broker, here.namespace) as book:
        wrong = book.wrong.get(line_id, [])
        return book.changeovers.get(line_id), book.checks.get(line_id), wrong[-1] if wrong else None
