"""Applies each reverse patch of `tests/track`, which brings a closed hole back, and demands that its tests fail.

    python scripts/track.py [--only NAME ...] [--jobs N] [--record]

A patch begins with two lines, `hole: <words>` and `finds: <pytest ids>`, an empty line, and a diff that applies to the
head. Patches are applied in temporary worktrees; yours is not touched. With --record each trial becomes a line of
docs/results/data/track.jsonl, from which `make faults-page` makes the table. Exit code 0: every patch applied, and at
least one of its tests failed (the tests themselves pass without it, which `make test` shows).
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests" / "track"
RESULTS = ROOT / "docs" / "results" / "data" / "track.jsonl"
_TESTS_FAILED = 1
_LIMIT_S = 600


class Outcome(StrEnum):
    """What a patch came to."""

    FOUND = "found"
    """It applied, and a test failed: the hole cannot come back unseen."""
    SURVIVED = "survived"
    """It applied, and no test failed."""
    STALE = "stale"
    """It does not apply to the head."""
    BROKEN = "broken"
    """pytest did not run its tests: an import error, a wrong id, no time left."""


@dataclass(frozen=True, slots=True)
class Hole:
    """One closed hole: its words, the tests that find it, and the diff that opens it again."""

    name: str
    words: str
    finds: tuple[str, ...]
    diff: str

    @classmethod
    def read(cls, path: Path) -> Hole:
        """Read a patch file; raises ValueError where its two header lines are missing."""
        head, _, diff = path.read_text(encoding="utf-8").partition("\n\n")
        fields = dict(line.partition(": ")[::2] for line in head.splitlines())
        if fields.keys() != {"hole", "finds"} or not diff.startswith("diff --git "):
            raise ValueError(f"{path}: begin with 'hole: <words>' and 'finds: <pytest ids>', an empty line, a diff")
        return cls(path.stem, fields["hole"], tuple(fields["finds"].split()), diff)

    @property
    def digest(self) -> str:
        """Tells this patch from the same one changed."""
        return hashlib.sha256(" ".join((*self.finds, self.diff)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Trial:
    """What applying one patch came to, and the first failing test."""

    name: str
    hole: str
    finds: str
    outcome: Outcome
    detail: str


def holes(only: list[str]) -> list[Hole]:
    """Every hole on record, or those named; raises SystemExit for a name that is none."""
    paths = sorted(PATCHES.glob("*.patch"))
    unknown = set(only) - {path.stem for path in paths}
    if unknown:
        raise SystemExit(f"no such patch in {PATCHES}: {', '.join(sorted(unknown))}")
    return [Hole.read(path) for path in paths if not only or path.stem in only]


@contextmanager
def worktree() -> Iterator[Path]:
    """A temporary checkout of the head, with what is not committed applied to it."""
    with tempfile.TemporaryDirectory(prefix="track-") as folder:
        tree = Path(folder) / "tree"
        _git(ROOT, "worktree", "add", "--detach", "--quiet", str(tree), "HEAD")
        try:
            changes = _git(ROOT, "diff", "HEAD", "--binary")
            if changes:
                _git(tree, "apply", "-", given=changes)
                _git(tree, "add", "--all")
            yield tree
        finally:
            _git(ROOT, "worktree", "remove", "--force", str(tree))


def tried(hole: Hole, tree: Path) -> Trial:
    """Apply one patch, run its tests, take it back."""
    try:
        _git(tree, "apply", "--recount", "-C1", "-", given=hole.diff)
    except subprocess.CalledProcessError as refused:
        return _trial(hole, Outcome.STALE, refused.stderr.strip())
    try:
        return _judged(hole, tree)
    finally:
        _git(tree, "checkout", "--", ".")
        _git(tree, "clean", "-fdq")


def _judged(hole: Hole, tree: Path) -> Trial:
    paths = os.pathsep.join(str(tree / part) for part in ("schemas", "services", "."))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", *hole.finds]
    try:
        run = subprocess.run(
            command,
            cwd=tree,
            env=os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _trial(hole, Outcome.BROKEN, f"not done in {_LIMIT_S} s")
    told = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    detail = told[0] if told else (run.stdout + run.stderr).strip()[-300:]
    if run.returncode == 0:
        return _trial(hole, Outcome.SURVIVED, detail)
    is_red = run.returncode == _TESTS_FAILED and detail.startswith("FAILED")
    return _trial(hole, Outcome.FOUND if is_red else Outcome.BROKEN, detail)


def _trial(hole: Hole, outcome: Outcome, detail: str) -> Trial:
    return Trial(hole.name, hole.words, " ".join(hole.finds), outcome, detail)


def _append(hole: Hole, trial: Trial) -> None:
    line = asdict(trial) | {
        "patch": hole.digest,
        "commit": _git(ROOT, "rev-parse", "--short", "HEAD").strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _git(folder: Path, *words: str, given: str | None = None) -> str:
    return subprocess.run(["git", *words], cwd=folder, input=given, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Try the patches; 1 where one is not found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="names of patches, without .patch")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", action="store_true", help=f"append what each came to to {RESULTS.name}")
    given = parser.parse_args()
    found = holes(given.only)
    trees: SimpleQueue[Path] = SimpleQueue()

    def on_a_tree(hole: Hole) -> Trial:
        tree = trees.get()
        try:
            trial = tried(hole, tree)
        finally:
            trees.put(tree)
        if given.record:
            _append(hole, trial)
        print(f"{trial.outcome:9} {trial.name}: {trial.hole}", flush=True)
        if trial.outcome is not Outcome.FOUND:
            print(f"          {trial.detail}", flush=True)
        return trial

    with ExitStack() as stack:
        for _ in range(min(given.jobs, max(1, len(found)))):
            trees.put(stack.enter_context(worktree()))
        with ThreadPoolExecutor(given.jobs) as pool:
            trials = list(pool.map(on_a_tree, found))
    missed = [trial for trial in trials if trial.outcome is not Outcome.FOUND]
    print(f"{len(trials) - len(missed)} of {len(trials)} holes are found when they come back")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
