"""Writes docs/results/faults.md from what `make track`, `make simulate` and `make fuzz` recorded."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from scripts.track import Outcome, holes

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
        "Mutated input": fuzz(),
    }
    body = [line for title, text in parts.items() for line in (f"## {title}", "", *text, "")]
    head = [
        "# Faults",
        "",
        "Made by `make faults-page` from what `make track`, `make simulate` and `make fuzz` recorded; nothing here is",
        "written by hand. [Mutants](mutants.md) have a page of their own. Real servers under faults are in",
        "`make test-all` (`tests/faults`).",
        "",
    ]
    return "\n".join([*head, *body])


if __name__ == "__main__":
    (RESULTS / "faults.md").write_text(page(), encoding="utf-8")
