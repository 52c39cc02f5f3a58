"""The fault matrix: `python -m tests.faults.matrix [--only ROW ...] [--runs 20] [--minutes N] [--jobs 2]`.

It goes on where it stopped. Each run is a line of docs/results/data/faults.jsonl; rows that ran on other sources are
stale and are run anew. With `--soak MINUTES` a line at most of its capacity is struck at random instead.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine
from linewarden_runtime.errors import ConfigurationError
from tests.faults.matrix.bed import NotBack
from tests.faults.matrix.play import play
from tests.faults.matrix.plot import PICTURE, plot
from tests.faults.matrix.results import RESULTS, Outcome, Recorded, Run, commit
from tests.faults.matrix.rows import Row, named
from tests.faults.matrix.soak import SAMPLES, soak


def main() -> int:
    """0 where every run that was made held."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="ROW", help="names of rows")
    parser.add_argument("--runs", type=int, default=20, help="runs of each row")
    parser.add_argument("--minutes", type=float, help="begin no run after so many")
    parser.add_argument("--jobs", type=int, default=1, help="lines at once; a line of its own for each row")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--work", type=Path, help="where lines lie while they run; kept where one fails")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="strike a line under load at random instead")
    parser.add_argument("--seed", type=int, default=1, help="of the soak")
    parser.add_argument("--list", action="store_true", help="name the rows, and why one cannot run here")
    asked = parser.parse_args()
    rows = named(asked.only)
    if asked.list:
        for row in rows:
            _say(f"{row.name:16} {row.words}{_reason(row)}")
        return 0
    if asked.soak:
        return _soak(asked.soak, asked.seed, asked.work)
    until = time.monotonic() + asked.minutes * 60 if asked.minutes else float("inf")
    recorded = Recorded(asked.results)
    if asked.jobs > 1:
        return _side_by_side(rows, recorded, until, asked)
    failed = False
    for row in rows:
        if time.monotonic() > until:
            _say("the time is over; the next call goes on")
            break
        failed |= _row(row, recorded, asked.runs, until, asked.work)
    return 1 if failed else 0


def _side_by_side(rows: list[Row], recorded: Recorded, until: float, asked: argparse.Namespace) -> int:
    """Each row in a process of its own, so many at once, those that took longest first."""

    def run(row: Row) -> int:
        left = [] if until == float("inf") else ["--minutes", str(max(0.0, until - time.monotonic()) / 60)]
        words = ["--only", row.name, "--runs", str(asked.runs), "--results", str(asked.results), *left]
        work = [] if asked.work is None else ["--work", str(asked.work)]
        with subprocess.Popen([sys.executable, "-m", "tests.faults.matrix", *words, *work]) as process:
            running.append(process)
            return process.wait()

    running: list[subprocess.Popen[bytes]] = []
    took = {
        row.name: max((run["seconds"] for run in recorded.runs if run["row"] == row.name), default=0.0) for row in rows
    }
    pool = ThreadPoolExecutor(asked.jobs)
    try:
        return int(any(list(pool.map(run, sorted(rows, key=lambda row: -took[row.name])))))
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)  # before one ends, else the next row begins in its place
        for process in running:
            process.terminate()
        raise


def _soak(minutes: float, seed: int, work: Path | None) -> int:
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=work))
    found = soak(minutes, folder / "line", seed, {"commit": commit(), "machine": machine(), "at": _now()}, SAMPLES)
    plot(SAMPLES, PICTURE)
    _say("held" if found.holds else "\n".join(("failed", *found.words(50), f"logs are kept in {folder}")))
    if found.holds:
        shutil.rmtree(folder)
    return 0 if found.holds else 1


def _row(row: Row, recorded: Recorded, wanted: int, until: float, work: Path | None) -> bool:
    """Run what is missing of a row; whether a run failed."""
    numbers = list(_missing(row, recorded, wanted))
    if not numbers:
        return False
    if (why := row.why_not()) is not None:
        _say(f"{row.name}: not run: {why}")
        recorded.tell_not_run(row, why, commit(), machine(), _now())
        return False
    folder = Path(tempfile.mkdtemp(prefix=f"{row.name}-", dir=work))
    failed: list[Run] = []

    def tell(run: Run) -> bool:
        recorded.append(run, commit(), machine(), _now())
        told = f"{row.name} {run.run}: {run.outcome}, {run.parts} parts {run.routed}, {run.seconds} s"
        _say("\n    ".join((told, *run.words)))
        if run.outcome is Outcome.FAILED:
            failed.append(run)
        return time.monotonic() < until

    try:
        play(row, numbers, folder / "line", tell)
    except (NotBack, ConfigurationError) as why:
        _say(f"{row.name}: its line does not start: {why}\n    logs are kept in {folder}")
        return True
    if failed:
        _say(f"{row.name}: logs are kept in {folder}")
    else:
        shutil.rmtree(folder)
    return bool(failed)


def _missing(row: Row, recorded: Recorded, wanted: int) -> Iterator[int]:
    """Numbers of the runs to make: those that were not shown are made once more, under a seed of their own."""
    made = recorded.counting(row)
    said = [run for run in made if run["run"] and run["outcome"] != Outcome.NOT_SHOWN]
    first = max((run["run"] for run in made), default=0) + 1
    if len(made) < 2 * wanted:
        yield from range(first, first + max(0, wanted - len(said)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


def _reason(row: Row) -> str:
    why = row.why_not()
    return f" (not here: {why})" if why else ""


def _stopped(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stopped)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _say("stopped; the next call goes on")
        sys.exit(130)
