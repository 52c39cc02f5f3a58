"""`python -m tests.simulation`: histories from seeds; see README.md."""

from __future__ import annotations

import logging
import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":
    # The order of sets is part of a history, so that a seed means the same everywhere.
    again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
    os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from tests.simulation.history import Outcome, happen
from tests.simulation.plan import ALL_KINDS, Plan, draw
from tests.simulation.shrink import shrunk
from tests.simulation.total import Total

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "data" / "simulation.jsonl"
_BATCH = 20


@dataclass(frozen=True, slots=True)
class Which:
    """Which plans are drawn: of some kinds of faults alone, short ones."""

    only: tuple[str, ...] | None = None
    is_short: bool = False

    def plan(self, seed: int) -> Plan:
        """The plan of a seed."""
        return draw(seed, self.only, is_short=self.is_short)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 1 where a history does not hold."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # also of the forks
    arguments = _arguments(argv)
    only = None if arguments.only is None else tuple(arguments.only.split(","))
    which = Which(only, arguments.short)
    if arguments.seed is not None:
        return _repeat(arguments.seed, shrinks=arguments.shrink, log=arguments.log, which=which)
    began = time.monotonic()
    total = _run(arguments.first, arguments.seeds, arguments.steps, arguments.jobs, arguments.stop_after, which)
    _tell(total, time.monotonic() - began)
    if arguments.record:
        _record(total, arguments.first, time.monotonic() - began)
    for seed in list(total.wrong)[:3]:
        _repeat(seed, shrinks=True, log=None, which=which)
    return 1 if total.wrong or (only is None and total.rare()) else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many histories, at least")
    parser.add_argument("--steps", type=int, default=0, help="go on until so many steps were made")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--stop-after", type=int, default=20, help="give up after so many seeds that do not hold")
    parser.add_argument("--record", action="store_true", help=f"append the result to {RESULTS.name}")
    parser.add_argument("--only", help="faults of these kinds alone, separated by commas; with --seed too")
    parser.add_argument("--short", action="store_true", help="few visits and few seconds; with --seed too")
    parser.add_argument("--seed", type=int, help="repeat this one")
    parser.add_argument("--shrink", action="store_true", help="with --seed: drop what is not needed to make it fail")
    parser.add_argument("--log", type=Path, help="with --seed: write its history there")
    return parser.parse_args(argv)


def _run(first: int, seeds: int, steps: int, jobs: int, stop_after: int, which: Which) -> Total:
    total, numbers = Total(), _batches(first)
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[list[Outcome]]] = set()
        begun = 0
        while True:
            enough = begun >= seeds and total.steps.total() >= steps
            while not enough and len(total.wrong) < stop_after and len(running) < jobs + 1 and (begun < seeds or steps):
                batch = next(numbers)
                batch = batch if steps else batch[: seeds - begun]
                begun += len(batch)
                running.add(pool.submit(_histories, batch, which))
            if not running:
                return total
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                for outcome in future.result():
                    total.add(outcome)
                    for wrong in outcome.wrong[:2]:
                        sys.stderr.write(f"seed {outcome.plan.seed}: {wrong}\n")


def _batches(first: int) -> Iterator[list[int]]:
    while True:
        yield list(range(first, first + _BATCH))
        first += _BATCH


def _histories(seeds: list[int], which: Which) -> list[Outcome]:
    return [happen(which.plan(seed)) for seed in seeds]


def _tell(total: Total, seconds: float) -> None:
    out = [f"{total.histories} histories, {total.steps.total()} steps in {seconds:.0f} s"]
    out += [f"  {kind:28} {count:9}" for kind, count in sorted(total.steps.items())]
    out += ["faults:", *(f"  {kind:28} {total.faults[kind]:9}" for kind in ALL_KINDS)]
    out += total.rare()
    out += [f"{len(total.wrong)} histories do not hold"]
    for seed, wrong in total.wrong.items():
        out += [f"seed {seed}: make simulate SEED={seed}", *(f"    {one}" for one in wrong[:4])]
    sys.stdout.write("\n".join(out) + "\n")
    sys.stdout.flush()


def _repeat(seed: int, *, shrinks: bool, log: Path | None, which: Which) -> int:
    outcome = happen(which.plan(seed), keeps_log=log is not None)
    if log is not None:
        log.write_text("".join(outcome.log))
    out = [
        f"seed {seed}, digest {outcome.digest}, {outcome.steps.total()} steps",
        *(f"    {w}" for w in outcome.wrong[:6]),
    ]
    if outcome.wrong and shrinks:
        small = shrunk(outcome)
        out += [f"  shrunk to {len(small.plan.visits)} visits and {len(small.plan.faults)} faults; it fails by:"]
        out += [f"    {wrong}" for wrong in small.wrong[:6]]
        out += [f"    visit {one.number} at {one.at_s} s: {', '.join(one.truths)}" for one in small.plan.visits]
        out += [f"    {one.kind} at {one.at_s} s (salt {one.salt})" for one in small.plan.faults]
    sys.stdout.write("\n".join(out) + "\n")
    sys.stdout.flush()
    return 1 if outcome.wrong else 0


def _record(total: Total, first: int, seconds: float) -> None:
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else ""),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "first_seed": first,
        "histories": total.histories,
        "seconds": round(seconds),
        "steps": dict(sorted(total.steps.items())),
        "faults": {kind: total.faults[kind] for kind in ALL_KINDS},
        "wrong": {str(seed): wrong[:3] for seed, wrong in total.wrong.items()},
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _git(*words: str) -> str:
    root = Path(__file__).parents[2]
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
