"""Writes docs/results/faults.md from what `make track`, `make simulate`, `make faults` and `make fuzz` recorded."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from scripts.track import Outcome, holes
from tests.faults.matrix.results import Outcome as RunOutcome
from tests.faults.matrix.results import Recorded, key_of
from tests.faults.matrix.rows import ROWS, Row

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"


def lines(name: str) -> list[dict[str, Any]]:
    """The records of a file of JSON lines; none where nothing was recorded yet."""
    path = RESULTS / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def track() -> list[str]:
    """One row a hole that is closed: how it is found should it come back."""
    newest = {(one["name"], one["patch"]): one for one in lines("data/track.jsonl")}
    rows, found, tried = [], 0, 0
    every = holes([])
    for hole in every:
        trial = newest.get((hole.name, hole.digest))
        outcome = "not run yet" if trial is None else f"{trial['outcome']} ({trial['commit']})"
        tried += trial is not None
        found += trial is not None and trial["outcome"] == Outcome.FOUND
        rows.append(f"| {hole.words} | `{hole.name}` | `{' '.join(hole.finds)}` | {outcome} |")
    return [
        f"{len(every)} holes, each as a reverse patch that applies to the head.",
        f"{tried} were brought back as they are now; {found} of them were found.",
        "",
        "| hole | reverse patch in tests/track | found by | outcome (commit) |",
        "|---|---|---|---|",
        *rows,
    ]


def simulation() -> list[str]:
    """Every recorded run, and what its faults were."""
    runs = lines("data/simulation.jsonl")
    if not runs:
        return ["Not recorded yet."]
    rows = [
        f"| {one['at']} | {one['commit']} | {one['first_seed']} | {one['histories']} | {sum(one['steps'].values())} "
        f"| {one['seconds']} | {len(one['wrong'])} |"
        for one in runs
    ]
    newest = runs[-1]
    kinds = [f"| {kind} | {count} |" for kind, count in {**newest["steps"], **newest["faults"]}.items()]
    return [
        "| at | commit | first seed | histories | steps | s | that do not hold |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"The newest run by kind of step, then by kind of fault ({newest['machine']}):",
        "",
        "| kind | times |",
        "|---|---|",
        *kinds,
    ]


def matrix() -> list[str]:
    """One row a fault on real servers: what its runs came to on the sources as they are, or on which they ran last."""
    recorded = Recorded()
    rows = [_matrix_row(row, recorded) for row in ROWS]
    return [
        "Apache Kafka, Debian's Redis and every service as its own process; what each row does and how it is judged",
        "stands in [tests/faults/matrix](../../tests/faults/matrix/README.md). A run holds where the fault was seen to",
        "happen, the line came back by itself, and nothing was lost, doubled, passed wrongly or unsound. *Stale*: what",
        "the line runs, the balance or the row's module has changed since.",
        "",
        "| row | fault | runs | held | failed | lost | doubled | passed wrongly | median s | not shown | commit |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def _matrix_row(row: Row, recorded: Recorded) -> str:
    of_row = [run for run in recorded.runs if run["row"] == row.name]
    if not of_row:
        why = recorded.not_run.get(row.name)
        return f"| `{row.name}` | {row.words} | not run{f': {why}' if why else ''} | | | | | | | | |"
    newest = of_row[-1]["sources"]
    runs = [run for run in of_row if run["sources"] == newest]
    shown = [run for run in runs if run["run"] and run["outcome"] != RunOutcome.NOT_SHOWN]
    held = sum(run["outcome"] == RunOutcome.HELD for run in shown)
    failed = sum(run["outcome"] == RunOutcome.FAILED for run in runs)
    sums = [str(sum(run[what] for run in runs)) for what in ("lost", "doubled", "passed_wrongly")]
    seconds = f"{median(run['seconds'] for run in shown):.1f}" if shown else ""
    commits = ", ".join(dict.fromkeys(run["commit"] for run in runs))
    stale = "" if newest == key_of(row) else " (stale)"
    cells = [f"`{row.name}`", row.words, str(len(shown)), str(held), str(failed), *sums, seconds]
    return f"| {' | '.join(cells)} | {len(runs) - len(shown)} | {commits}{stale} |"


def soaked() -> list[str]:
    """What the last soak came to."""
    told = lines("data/soak.jsonl")
    if not told or "outcome" not in told[-1]:
        return []
    head, end = told[0], told[-1]
    struck = ", ".join(f"{name} {count}" for name, count in sorted(end["strikes"].items()))
    counts = ", ".join(f"{what.replace('_', ' ')} {end[what]}" for what in ("lost", "doubled", "passed_wrongly"))
    return [
        "",
        f"A soak of {head['minutes']:g} minutes at {head['parts per s']} parts/s, 80 % of what the line bears on this",
        f"machine ({head['machine']}; commit {head['commit']}), with a random fault a minute ({struck}):",
        f"{end['parts']} parts, {counts}; **{end['outcome']}**.",
        "",
        "![The soak: parts a second, what is under way, and how long routing took](../images/soak.svg)",
    ]


def fuzz() -> list[str]:
    """What became of mutated inputs, by commit."""
    pieces = lines("fuzz.jsonl")
    if not pieces:
        return ["Not recorded yet."]
    by_commit: dict[tuple[str, str], Counter[str]] = {}
    for one in pieces:
        by_commit.setdefault((one["commit"], one["target"]), Counter()).update(one.get("counts", {}))
    rows = [
        f"| {commit} | {target} | {counts.total()} | {', '.join(f'{n} {kind}' for kind, n in sorted(counts.items()))} |"
        for (commit, target), counts in by_commit.items()
    ]
    total = sum(counts.total() for counts in by_commit.values())
    return [
        f"{total} inputs; one that crashed, passed what it must not or kept memory would have ended the run.",
        "",
        "| commit | target | inputs | what became of them |",
        "|---|---|---|---|",
        *rows,
    ]


def page() -> str:
    """The page."""
    parts = {
        "Track record": track(),
        "Simulation": simulation(),
        "Real servers": [*matrix(), *soaked()],
        "Mutated input": fuzz(),
    }
    body = [line for title, text in parts.items() for line in (f"## {title}", "", *text, "")]
    head = [
        "# Faults",
        "",
        "Made by `make faults-page` from what `make track`, `make simulate`, `make faults` and `make fuzz` recorded;",
        "nothing here is written by hand. [Mutants](mutants.md) have a page of their own.",
        "",
    ]
    return "\n".join([*head, *body])


if __name__ == "__main__":
    (RESULTS / "faults.md").write_text(page(), encoding="utf-8")
