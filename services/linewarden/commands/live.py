"""`linewarden live`: how many defects there may be among what a line passes, counted and told to its workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.context import SOURCE, actor, connect, in_one_line, now_ms, publish, show
from linewarden.commands.options import By, Json, Simulated, finite, parse_end, parse_time

if TYPE_CHECKING:
    from linewarden.commands.context import Connection
    from linewarden_schemas.live_limit import LiveLimit
    from linewarden_schemas.recipe import Recipe

_DAY_MS = 86_400_000


def live(
    line: Annotated[str, typer.Argument(help="The line.")],
    recipe: Annotated[str, typer.Argument(help="The recipe, its newest version, or ID@VERSION.")],
    begin: Annotated[
        str, typer.Option("--from", help="Captured from then on; 28 days before the end by default.")
    ] = "",
    end: Annotated[
        str, typer.Option("--to", help="Captured before then; the begin of this day (UTC) by default.")
    ] = "",
    confidence: Annotated[float, typer.Option(callback=finite, min=0.5, max=0.999, help="Of the upper limit.")] = 0.95,
    lasts_days: Annotated[int, typer.Option(min=1, max=90, help="How long it holds; announced 14 days before.")] = 30,
    tell: Annotated[bool, typer.Option("--tell", help="Tell the workers: an assisted bundle passes by it.")] = False,
    by: By = None,
    simulated: Simulated = False,
    as_json: Json = False,
) -> None:
    """Count defects among a line's trusted passes, from audits, and tell its live limit.

    An assisted bundle lets parts go only while a told limit holds that is not above the recipe's
    max_defect_rate_of_passes. Choose the stretch before you look. Exits 1 where the limit is above the recipe's.
    """
    here = connect()
    now = now_ms()
    to_ms = parse_end(end) if end else now // _DAY_MS * _DAY_MS
    from_ms = parse_time(begin) if begin else to_ms - 28 * _DAY_MS
    with in_one_line():
        known = _recipe(here, recipe)
        made = _counted(here, line, known, (from_ms, to_ms), now, lasts_days, confidence, actor(by), simulated)
        most = known.max_defect_rate_of_passes
    if tell:
        from linewarden_runtime.live_limits import live_limit_record  # noqa: PLC0415

        publish(here.broker, [live_limit_record(here.namespace, made, SOURCE)])
    row = _row(made, most, told=tell)
    if as_json:
        show([row], as_json=True)
    else:
        typer.echo("\n".join(f"{name}: {value}" for name, value in row.items()))
    if not as_json and not made.known_bads_shown:
        typer.echo("operators not measured: without seeded known-bads the upper limit is 100 %")
    raise typer.Exit(0 if most is not None and made.upper <= most else 1)


def _recipe(here: Connection, name: str) -> Recipe:
    from linewarden_runtime.books import RecipeBook  # noqa: PLC0415 - nothing heavy before it is needed

    with RecipeBook(here.broker, here.namespace) as book:
        fits = [one for one in book.all.known() if name in {one.recipe_id, one.ref().name}]
    if not fits:
        raise ValueError(f"no recipe {name} that may be judged by; see 'linewarden recipe list'")
    return max(fits, key=lambda one: one.version)


def _counted(
    here: Connection,
    line: str,
    recipe: Recipe,
    stretch: tuple[int, int],
    now: int,
    lasts_days: int,
    confidence: float,
    who: str,
    simulated: bool,
) -> LiveLimit:
    from linewarden.live_passes import estimated  # noqa: PLC0415
    from linewarden_history.reports.gather import gather, tell_visits  # noqa: PLC0415
    from linewarden_history.reports.store import VisitStore  # noqa: PLC0415
    from linewarden_history.selection import Selection  # noqa: PLC0415
    from linewarden_schemas.live_limit import LiveLimit  # noqa: PLC0415

    from_ms, to_ms = stretch
    selection = Selection(from_ms, to_ms - 1, line_id=line)
    with VisitStore() as shelf:
        gather(here.broker, here.namespace, selection, shelf)
        found = estimated(tell_visits(shelf, selection), recipe.ref(), confidence=confidence, simulated=simulated)
    return LiveLimit(
        line_id=line,
        recipe=recipe.ref(),
        bundle_digest=recipe.bundle_digest,
        from_ms=from_ms,
        to_ms=to_ms,
        passes=found.passes,
        audited=found.audited,
        unanswered=found.unanswered,
        found_defective=found.found_defective,
        known_bads_shown=found.shown,
        known_bads_caught=found.caught,
        upper=found.upper,
        confidence=confidence,
        made_ms=now,
        until_ms=now + lasts_days * _DAY_MS,
        actor=who,
    )


def _row(made: LiveLimit, most: float | None, *, told: bool) -> dict[str, Any]:
    from linewarden.commands.options import clock_of  # noqa: PLC0415

    return {
        "line": made.line_id,
        "recipe": made.recipe.short,
        "passes": made.passes,
        "audits answered": made.audited,
        "unanswered": made.unanswered,
        "defective": made.found_defective,
        "known-bads caught": f"{made.known_bads_caught} of {made.known_bads_shown}",
        f"at most ({made.confidence:.0%})": f"{made.upper:.3%}",
        "the recipe lets": "none named" if most is None else f"{most:.3%}",
        "told, until": clock_of(made.until_ms) if told else "no",
    }
