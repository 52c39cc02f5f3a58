"""Run the fuzzer: `python -m tests.fuzz --total 1000000`; resumes behind what the results file already holds.

An input is made of `target:number`, so that a failure is repeated by `--only TARGET --first NUMBER --total 1`. Counts
are appended to the results file in pieces, with commit and machine; a piece counts for the sources that it ran on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random

from tests.fuzz.targets import Target, every

SHARES = {
    "frames": 0.30, "messages": 0.25, "recipes": 0.15, "sheets": 0.15, "pictures": 0.10, "coco": 0.045,
    "requests": 0.005,
}  # fmt: skip
RESULTS = Path("docs/results/fuzz.jsonl")
PIECES = {"requests": 200, "coco": 1_000}
PIECE = 5_000
MOST_GROWTH = 96 << 20
COVERED = ("schemas/linewarden_schemas", "services/linewarden_vision/pictures", "services/linewarden_vision/inspecting",
           "services/linewarden_train/data", "services/linewarden_reinspect/station", "tests/fuzz")  # fmt: skip


class Fault(Exception):
    """An input that a target did not bear; the message says how to repeat it."""


def run(name: str, target: Target, first: int, count: int) -> Counter[str]:
    """Run inputs `first` to `first + count - 1`; what became of them."""
    counts: Counter[str] = Counter()
    for number in range(first, first + count):
        try:
            counts[target(Random(f"{name}:{number}"))] += 1
        except Exception as error:
            raise Fault(f"python -m tests.fuzz --only {name} --first {number} --total 1: {error!r}") from error
    return counts


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def sources() -> str:
    """One digest over the sources that the targets run."""
    running = hashlib.sha256()
    for path in sorted(path for folder in COVERED for path in Path(folder).rglob("*.py")):
        running.update(path.read_bytes())
    return running.hexdigest()[:16]


def done(results: Path, mark: str) -> Counter[str]:
    """Inputs by target that the results file holds for these sources."""
    found: Counter[str] = Counter()
    if results.is_file():
        for line in map(json.loads, results.read_text().splitlines()):
            if line["sources"] == mark and line["outcome"] == "held":
                found[line["target"]] = max(found[line["target"]], line["first"] + line["inputs"])
    return found


def main() -> int:
    """0 where everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--total", type=int, default=1_000_000)
    parser.add_argument("--only", choices=sorted(SHARES))
    parser.add_argument("--first", type=int)
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    mark = sources()
    begun = done(asked.results, mark)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        targets = {name: target for name, target in every(stack, folder) if asked.only in {None, name}}
        if asked.first is not None:
            for name, target in targets.items():
                print(name, dict(run(name, target, asked.first, asked.total)))  # noqa: T201
            return 0
        wanted = {name: round(asked.total * (1.0 if asked.only else SHARES[name])) for name in targets}
        base: dict[str, int] = {}
        while left := {name: wanted[name] - begun[name] for name in targets if begun[name] < wanted[name]}:
            name = min(left, key=lambda one: begun[one] / wanted[one])
            count, at = min(PIECES.get(name, PIECE), left[name]), time.monotonic()
            row = {"commit": commit.strip(), "sources": mark, "machine": machine, "target": name, "first": begun[name]}
            try:
                counts = run(name, targets[name], begun[name], count)
            except Fault as fault:
                _append(asked.results, row | {"inputs": count, "outcome": str(fault)[:1000]})
                raise
            base.setdefault(name, resident())
            grown = resident() - base[name]
            assert grown < MOST_GROWTH, f"{grown} bytes more after {name}"
            begun[name] += count
            seconds = round(time.monotonic() - at, 1)
            _append(asked.results, row | {"inputs": count, "outcome": "held", "seconds": seconds, "counts": counts})
            print(f"{sum(begun.values())} of {sum(wanted.values())}: {name} {dict(counts)} {seconds} s", flush=True)  # noqa: T201
    return 0


def _append(path: Path, row: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    sys.exit(main())
