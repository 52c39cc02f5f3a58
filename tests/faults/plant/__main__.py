"""Strike the plant's sides: `python -m tests.faults.plant [--only ROW|KIND ...] [--runs 20] [--minutes N]`.

It goes on where it stopped: each run is a line of docs/results/data/plant.jsonl. Rows that ran on other sources are
stale and run anew. `make plant-page` writes docs/results/plant.md from it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine
from linewarden_runtime.errors import ConfigurationError
from tests.faults.matrix.bed import NotBack
from tests.faults.matrix.results import ROOT, Outcome, Recorded, Run, commit
from tests.faults.plant.play import play
from tests.faults.plant.rows import PlantKind, PlantRow, named

RESULTS = ROOT / "docs" / "results" / "data" / "plant.jsonl"


def main() -> int:
    """0 where every run that was made held."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.plant", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="ROW", help="names of rows, or of kinds")
    parser.add_argument("--runs", type=int, default=20, help="runs of each row")
    parser.add_argument("--minutes", type=float, help="begin no run after so many")
    parser.add_argument("--jobs", type=int, default=1, help="lines at once; a line of its own for each kind")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--work", type=Path, help="where lines lie while they run; kept where one fails")
    parser.add_argument("--list", action="store_true", help="name the rows, and why one cannot run here")
    asked = parser.parse_args()
    rows = named(asked.only)
    if asked.list:
        for row in rows:
            why = row.kind.why_not()
            _say(f"{row.name:16} {row.words}{f' (not here: {why})' if why else ''}")
        return 0
    until = time.monotonic() + asked.minutes * 60 if asked.minutes else float("inf")
    kinds = list(dict.fromkeys(row.kind for row in rows))
    if asked.jobs > 1:
        return _side_by_side(kinds, rows, until, asked)
    recorded, failed = Recorded(asked.results), False
    for kind in kinds:
        if time.monotonic() > until:
            _say("the time is over; the next call goes on")
            break
        of_kind = [row for row in rows if row.kind is kind]
        failed |= _kind(kind, of_kind, recorded, asked.runs, until, asked.work)
    return int(failed)


def _side_by_side(kinds: list[PlantKind], rows: list[PlantRow], until: float, asked: argparse.Namespace) -> int:
    """Each kind in a process of its own, so many at once."""

    def run(kind: PlantKind) -> int:
        names = [row.name for row in rows if row.kind is kind]
        left = [] if until == float("inf") else ["--minutes", str(max(0.01, until - time.monotonic()) / 60)]
        words = ["--only", *names, "--runs", str(asked.runs), "--results", str(asked.results), *left]
        work = [] if asked.work is None else ["--work", str(asked.work)]
        return subprocess.run([sys.executable, "-m", "tests.faults.plant", *words, *work], check=False).returncode

    with ThreadPoolExecutor(asked.jobs) as pool:
        return int(any(list(pool.map(run, kinds))))


def _kind(
    kind: PlantKind, rows: list[PlantRow], recorded: Recorded, wanted: int, until: float, work: Path | None
) -> bool:
    """Make what is missing of a kind's rows; whether a run failed."""
    if (why := kind.why_not()) is not None:
        _say(f"{kind.name}: not run: {why}")
        for row in rows:
            recorded.tell_not_run(row, why, commit(), machine(), _now())
        return False
    missing = [(row, number) for row in rows for number in _missing(row, recorded, wanted)]
    if not missing:
        return False
    folder = Path(tempfile.mkdtemp(prefix=f"plant-{kind.name}-", dir=work))
    failed: list[Run] = []

    def tell(run: Run) -> bool:
        recorded.append(run, commit(), machine(), _now())
        limit = f"named in {run.seen.get('named_s')} s of {run.seen.get('limit_s')}"
        _say(
            "\n    ".join(
                (f"{run.row} {run.run}: {run.outcome}, {limit}, {run.parts} parts, {run.seconds} s", *run.words)
            )
        )
        if run.outcome is Outcome.FAILED:
            failed.append(run)
        return time.monotonic() < until

    try:
        play(kind, missing, folder / "line", tell)
    except (NotBack, ConfigurationError) as why:
        _say(f"{kind.name}: its line does not start: {why}\n    logs are kept in {folder}")
        return True
    if failed:
        _say(f"{kind.name}: logs are kept in {folder}")
    else:
        shutil.rmtree(folder)
    return bool(failed)


def _missing(row: PlantRow, recorded: Recorded, wanted: int) -> range:
    made = [run for run in recorded.counting(row) if run["run"]]
    first = max((run["run"] for run in made), default=0) + 1
    return range(first, first + max(0, wanted - len(made)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _say("stopped; the next call goes on")
        sys.exit(130)
