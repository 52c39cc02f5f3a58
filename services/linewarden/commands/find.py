"""`linewarden find`: a part's whole story."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from linewarden.commands import recorded
from linewarden.commands.context import show_table
from linewarden.commands.options import DEFAULT_INDEX, Index, Json, Offline, clock_of, opened_index


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
    from linewarden_history.index.story import stories, unmatched  # noqa: PLC0415 - nothing heavy before it is needed

    with opened_index(index, recorded.live, follow=not no_follow, hidden=as_json) as opened:
        began = time.perf_counter()
        found, loose = stories(opened, name), unmatched(opened, name)
        looked_ms = (time.perf_counter() - began) * 1000
    if as_json:
        visits, escapes = [story.as_dict() for story in found], [one.as_dict() for one in loose]
        typer.echo(json.dumps({"looked_ms": round(looked_ms, 3), "visits": visits, "unmatched_escapes": escapes}))
    else:
        for story in found:
            facts = {key: value for key, value in story.facts.items() if value not in (None, "") and key != "visit_id"}
            typer.echo(f"\n{story.visit_id}\n  " + ", ".join(f"{key} {value}" for key, value in facts.items()))
            rows = [
                (
                    *(clock_of(one.at_ms), one.kind, one.actor or "", _in_words(one.told)),
                    f"{one.topic}[{one.partition}]@{one.offset}",
                )
                for one in story.happened
            ]
            show_table(("at", "what", "who", "told", "lies in"), rows)
        known = f"{len(found)} visits of {name}, found in {looked_ms:.1f} ms"
        typer.echo(known if found else f"no visit knows {name}")
        for one in loose:
            typer.echo(f"reported as escaped, and no visit fits: {one.in_words()}")
    raise typer.Exit(0 if found or loose else 1)


def _in_words(told: Mapping[str, object]) -> str:
    shown = (
        "verdict", "undecidable", "p_defect", "suspicion", "lost", "conditions", "routing", "causes", "outcome",
        "judgement", "first_judgement", "defect_class", "comment", "reason", "detail", "concession", "alarm",
        "intended", "actual", "cause", "found_at", "reference",
    )  # fmt: skip
    words = []
    for name in shown:
        value = told.get(name)
        if isinstance(value, float) and value:
            words.append(f"{name} {value:.4g}")
        elif value:
            words.append(f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    return "; ".join(words)
