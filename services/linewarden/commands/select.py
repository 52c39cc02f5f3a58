"""`linewarden select`: the visits that fit some words."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from linewarden.commands import options, recorded
from linewarden.commands.context import show, show_table
from linewarden.commands.options import DEFAULT_INDEX, Index, Json, Offline, clock_of, opened_index, selection_of


def select(
    begin: options.Begin = "0",
    end: options.End = "",
    line: options.Line = None,
    camera: options.Camera = None,
    lot: options.Lot = None,
    part: options.Part = None,
    recipe: options.Recipe = None,
    bundle: options.Bundle = None,
    verdict: options.WithVerdict = None,
    routing: options.Routed = None,
    operator: options.Operator = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most.")] = 100,
    index: Index = DEFAULT_INDEX,
    no_follow: Offline = False,
    as_json: Json = False,
) -> None:
    """List the visits that fit every word; replay and export take the same words."""
    from linewarden_history.index.story import count, selected  # noqa: PLC0415 - nothing heavy before it is needed

    selection = selection_of(begin, end, line, camera, lot, part, recipe, bundle, verdict, routing, operator)
    with opened_index(index, recorded.live, follow=not no_follow, hidden=as_json) as opened:
        rows = list(selected(opened, selection, limit))
        total = count(opened, selection)
    if as_json:
        typer.echo(json.dumps({"selection": selection.words(), "count": total, "visits": rows}))
        return
    title = f"{total} visits" + (f", the first {limit}" if total > limit else "")
    if rows:
        shown = [_row(one) for one in rows]
        show_table(list(shown[0]), [list(one.values()) for one in shown], title)
    else:
        show([], empty=title)


def _row(facts: dict[str, Any]) -> dict[str, str]:
    shown = {"visit": facts["visit_id"], "captured": clock_of(facts["captured_ms"])}
    for name in ("part_id", "lot_id", "recipe", "routing", "causes", "outcome"):
        shown[name.removesuffix("_id")] = str(facts[name] or "")
    if facts["recipe_digest"]:
        shown["recipe"] += f"@{facts['recipe_digest'][:12]}"
    return shown
