"""Writes docs/results/plant.md from what `make plant` and `benchmarks.gate --record` recorded."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from tests.faults.matrix.results import Outcome, Recorded, key_of
from tests.faults.plant.__main__ import RESULTS
from tests.faults.plant.rows import PlantRow, named

PAGE = RESULTS.parent.parent / "plant.md"
GATE = RESULTS.with_name("gate.jsonl")
_COLUMNS = "row|what is done|runs|held|lost|doubled|passed wrongly|named after: median s|worst s|limit s|parts|commit"
_GATE_COLUMNS = (
    "at|commit|broker|parts/s|parts|first parts|p50 ms|p99 ms|worst ms|missed|of the first|right|load|machine"
)


def head(columns: str) -> list[str]:
    """The first two lines of a table."""
    names = columns.split("|")
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def struck(*, outputs: bool) -> list[str]:
    """One row a fault of a kind, by its newest sources."""
    recorded = Recorded(RESULTS)
    rows = [row for row in named([]) if row.kind.is_output is outputs]
    return [*head(_COLUMNS), *(_row(row, recorded) for row in rows)]


def _row(row: PlantRow, recorded: Recorded) -> str:
    of_row = [run for run in recorded.runs if run["row"] == row.name]
    if not of_row:
        why = recorded.not_run.get(row.name)
        return f"| `{row.name}` | {row.words} | not run{f': {why}' if why else ''} | | | | | | | {row.limit_s:g} | | |"
    newest = of_row[-1]["sources"]
    runs = [run for run in of_row if run["sources"] == newest]
    made = [run for run in runs if run["run"]]
    held = sum(run["outcome"] == Outcome.HELD for run in made)
    sums = [str(sum(run[what] for run in runs)) for what in ("lost", "doubled", "passed_wrongly")]
    times = sorted(run["seen"]["named_s"] for run in made if "named_s" in run["seen"])
    named_s = [f"{median(times):.2f}", f"{times[-1]:.2f}"] if times else ["never", "never"]
    stale = "" if newest == key_of(row) else " (stale)"
    commits = ", ".join(dict.fromkeys(run["commit"] for run in runs)) + stale
    parts = str(sum(run["parts"] for run in runs))
    cells = [f"`{row.name}`", row.words, str(len(made)), str(held), *sums, *named_s, f"{row.limit_s:g}", parts, commits]
    return f"| {' | '.join(cells)} |"


def failures() -> list[str]:
    """What failed on the newest sources, in words."""
    recorded = Recorded(RESULTS)
    found = []
    for row in named([]):
        of_row = [run for run in recorded.runs if run["row"] == row.name]
        runs = [run for run in of_row if run["sources"] == of_row[-1]["sources"]]
        found += [
            f"* `{row.name}` {run['run'] or 'after the last run'}: {'; '.join(run['words'])}"
            for run in runs
            if run["outcome"] == Outcome.FAILED
        ]
    return ["", "Runs that did not hold:", "", *found] if found else []


def machines() -> str:
    """Where it ran."""
    told = dict.fromkeys(run["machine"] for run in Recorded(RESULTS).runs)
    return "; ".join(told) or "not run yet"


def gate() -> list[str]:
    """From trigger to register, each recorded run."""
    if not GATE.exists():
        return ["Not recorded yet: `python -m benchmarks.gate --record`."]
    runs: list[dict[str, Any]] = [json.loads(text) for text in GATE.read_text(encoding="utf-8").splitlines()]
    rows = [
        f"| {one['at']} | {one['commit']} | {one['broker']} | {one['rate']:g} | {one['parts']} | {one['warm']} "
        f"| {one['p50_ms']} | {one['p99_ms']} | {one['worst_ms']} | {one['missed']} | {one['missed_warm']} "
        f"| {'yes' if one['agrees'] else 'NO'} | {one['load']} | {one['machine']} |"
        for one in runs
    ]
    return [
        "A simulated PLC with a cycle of 20 ms; from the part's trigger to the reading that holds its answer, by",
        "`python -m benchmarks.gate --record`. The first parts, in which cameras and network come up, stand apart. A",
        "missed deadline is a part without an answer in its window: it lies in the divert lane, counted. *Right*:",
        "each bin holds exactly what the dispositions say, or a part without an answer. *Load*: what others were",
        "running on the machine as the run began (load average of a minute).",
        "",
        *head(_GATE_COLUMNS),
        *rows,
    ]


_ABOUT = """# The plant's sides

Made by `make plant-page` from what `make plant` and `benchmarks.gate --record` recorded; nothing here is written by
hand. Each kind of camera and each output is struck while parts flow, four a second, on Apache Kafka, with inspect and
route as processes. After each strike everything that the topics hold is balanced, and what the plant's side knows is
held against it: pictures that were written or posted, revisions that were told, bins. A run holds where nothing was
lost, doubled or passed wrongly, the line came back by itself, and the fault was named within its limit: by `/readyz`
of ingest or onward, by a capture, or by the control's own watchdog. *Stale*: what the line
runs, the balance or the row's module has changed since.
"""
_NOT_THERE = """
No maker's camera, no USB device, no PLC. USB is a video file behind OpenCV's VideoCapture; RTSP is GStreamer's
server, GigE Vision a fake camera with the registers of Aravis' own; the PLC is simulated. Mosquitto keeps its
sessions on disk here; what it acknowledges and loses otherwise is lost to the subscriber. An OPC UA client that was
away is told by a gap which results the ring no longer has.
"""


def page() -> str:
    """The page."""
    parts = {
        "Cameras": struck(outputs=False),
        "Outputs": [*struck(outputs=True), *failures()],
        "From trigger to register": gate(),
    }
    told = [_ABOUT, f"Machines: {machines()}.", ""]
    for title, lines in parts.items():
        told += [f"## {title}", "", *lines, ""]
    return "\n".join([*told, "## What was not there", _NOT_THERE])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
