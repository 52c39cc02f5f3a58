"""`linewarden find` and `linewarden select`: a part's whole story, and the visits that fit some words."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.choice import (
    DEFAULT_INDEX,
    Begin,
    Bundle,
    Camera,
    End,
    Index,
    Line,
    Lot,
    Operator,
    Part,
    Recipe,
    Routed,
    WithVerdict,
    Words,
    opened_index,
)

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_history.index.story import Story

_TOLD = (
    "verdict", "undecidable", "p_defect", "suspicion", "lost", "routing", "causes", "outcome", "judgement",
    "first_judgement", "defect_class", "comment", "reason", "detail", "concession", "alarm", "intended", "actual",
    "cause", "found_at", "reference",
)  # fmt: skip

_SHORT = 12
"""Characters of a digest in a table."""

Json = Annotated[bool, typer.Option("--json", help="One JSON document for programs instead of a table.")]
Offline = Annotated[bool, typer.Option("--no-follow", help="Answer from the index as it is, without the broker.")]


def find(
    name: Annotated[str, typer.Argument(metavar="PART|VISIT", help="A part's serial, or the id of one visit.")],
    index: Index = DEFAULT_INDEX,
    no_follow: Offline = False,
    as_json: Json = False,
) -> None:
    """Tell everything that happened to a part, in order: captures, inspections, routing, reviews, outcome.

    The index is read on from where it stopped and kept in a file; what retention took away from the topics stays in it.
    Exits 1 where nobody knows the part.
    """
    from linewarden.commands.recorded import live  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_history.index.story import stories, unmatched  # noqa: PLC0415

    with opened_index(index, live, follow=not no_follow, hidden=as_json) as opened:
        began = time.perf_counter()
        found, loose = stories(opened, name), unmatched(opened, name)
        looked_ms = (time.perf_counter() - began) * 1000
    if as_json:
        visits, escapes = [story.as_dict() for story in found], [one.as_dict() for one in loose]
        typer.echo(json.dumps({"looked_ms": round(looked_ms, 3), "visits": visits, "unmatched_escapes": escapes}))
    else:
        _tell(name, found, looked_ms)
        for one in loose:
            typer.echo(f"reported as escaped, and no visit fits: {one.in_words()}")
    raise typer.Exit(0 if found or loose else 1)


def select(
    begin: Begin = "0",
    end: End = "",
    line: Line = None,
    camera: Camera = None,
    lot: Lot = None,
    part: Part = None,
    recipe: Recipe = None,
    bundle: Bundle = None,
    verdict: WithVerdict = None,
    routing: Routed = None,
    operator: Operator = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most.")] = 100,
    index: Index = DEFAULT_INDEX,
    no_follow: Offline = False,
    as_json: Json = False,
) -> None:
    """List the visits that fit every word; replay and export take the same words."""
    from linewarden.commands.recorded import live  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_history.index.story import count, selected  # noqa: PLC0415

    words = Words(begin, end, line, camera, lot, part, recipe, bundle, verdict, routing, operator)
    selection = words.selection()
    with opened_index(index, live, follow=not no_follow, hidden=as_json) as opened:
        rows = list(selected(opened, selection, limit))
        total = count(opened, selection)
    if as_json:
        typer.echo(json.dumps({"selection": selection.words(), "count": total, "visits": rows}))
        return
    _table(
        f"{total} visits" + (f", the first {limit}" if total > limit else ""),
        [_row(one) for one in rows],
    )


def _row(facts: dict[str, Any]) -> dict[str, str]:
    shown = {"visit": facts["visit_id"], "captured": _clock(facts["captured_ms"])}
    for name in ("part_id", "lot_id", "recipe", "routing", "causes", "outcome"):
        shown[name.removesuffix("_id")] = str(facts[name] or "")
    if facts["recipe_digest"]:
        shown["recipe"] += f"@{facts['recipe_digest'][:_SHORT]}"
    return shown


def _tell(name: str, found: list[Story], looked_ms: float) -> None:
    for story in found:
        facts = {key: value for key, value in story.facts.items() if value not in (None, "") and key != "visit_id"}
        typer.echo(f"\n{story.visit_id}\n  " + ", ".join(f"{key} {value}" for key, value in facts.items()))
        rows = [
            {
                "at": _clock(one.at_ms),
                "what": one.kind,
                "who": one.actor or "",
                "told": "; ".join(f"{key} {_word(one.told[key])}" for key in _TOLD if one.told.get(key)),
                "lies in": f"{one.topic}[{one.partition}]@{one.offset}",
            }
            for one in story.happened
        ]
        _table("", rows)
    typer.echo(f"{len(found)} visits of {name}, found in {looked_ms:.1f} ms" if found else f"no visit knows {name}")


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _clock(at_ms: int | None) -> str:
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "milliseconds")[:23]


def _table(title: str, rows: list[dict[str, str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415 - the same

    if not rows:
        Console().print(title)
        return
    table = Table(title=title or None)
    for name in rows[0]:
        table.add_column(name, overflow="fold")  # an id is of no use without its end
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)
