"""Changes one thing at a time in the modules that decide, and demands that a test which covers it fails.

    python -m scripts.mutants [--only PART ...] [--minutes N]     go on where the last run stopped
    python -m scripts.mutants --page docs/results/mutants.md      write the page from what was run

Each trial is a line of docs/results/data/mutants.jsonl, keyed by a hash of the module and of the test that failed, or
of every test that may cover it where none did; trials of other sources are stale and are run anew. Python is mutated
by Cosmic Ray's operators and by taking single statements away, Lua by exchanging operators and taking calls away.
Survivors that cannot be told from the original stand with their reason in tests/mutants.toml.
"""

from __future__ import annotations

import argparse
import ast
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import parso
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

from scripts.track import worktree

ROOT = Path(__file__).resolve().parent.parent
RESULTS, EQUIVALENT = ROOT / "docs" / "results" / "data" / "mutants.jsonl", ROOT / "tests" / "mutants.toml"
_ROUTE = ("tests/unit/route", "tests/integration/route")
_SPOOL = ("tests/unit/ingest",)
_AGREE = "tests/unit/reinspect/test_queue_against_model.py::test_redis_and_the_model_agree_through_random_histories"
_QUEUE = (
    *(f"tests/unit/reinspect/test_{name}.py" for name in ("queue_rules", "queue_holding", "lost_keys", "late_tokens")),
    _AGREE,
)
_LOOP = ("tests/unit/runtime/test_loop.py", "tests/unit/runtime/test_loop_bounds.py")
TARGETS: dict[str, tuple[str, ...]] = {
    **{
        f"services/linewarden_route/{name}.py": _ROUTE
        for name in ("policy", "visit", "joining", "routing", "review", "slots", "refusals", "adoption")
    },
    **{f"services/linewarden_route/{name}.py": _ROUTE for name in ("lane", "plan", "restore", "router")},
    "services/linewarden_runtime/loop.py": _LOOP,
    "services/linewarden_runtime/consume.py": ("tests/unit/runtime/test_consume.py",),
    **{
        f"services/linewarden_ingest/{name}.py": _SPOOL
        for name in ("spool/spool", "spool/marks", "spool/recovery", "spool/tail", "publisher", "ledger", "intake")
    },
    **{
        f"services/linewarden_reinspect/queue/{path.name}": _QUEUE
        for path in sorted((ROOT / "services" / "linewarden_reinspect" / "queue").glob("*.lua"))
    },
}
_COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt")
_OPERATORS = (
    *(f"ReplaceComparisonOperator_{name}" for name in (*_COMPARISONS, "Is_IsNot", "IsNot_Is")),
    *(f"ReplaceBinaryOperator_{name}" for name in ("Add_Sub", "Sub_Add", "Mul_Add")),
    "ReplaceUnaryOperator_Delete_Not",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "NumberReplacer",
    "ZeroIterationForLoop",
)
_LUA = (
    (r"==", "~="),
    (r"~=", "=="),
    (r"<=", "<"),
    (r">=", ">"),
    (r"(?<![<>=~])<(?!=)", "<="),
    (r"(?<![<>=~])>(?!=)", ">="),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"\bnot ", ""),
    (r"\+ 1\b", "- 1"),
    (r"- 1\b", "+ 1"),
)


class RemoveStatement(Operator):  # type: ignore[misc]  # the package is not typed
    """Takes a statement away that is there for its effect, a call or a raise, but for a line of the log."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[object, object]]:  # noqa: ANN401 - parso is not typed
        """Where `mutate` can be asked."""
        is_said = node.get_first_leaf().value in {"_log", "log"}
        if node.type == "simple_stmt" and node.children[0].type in {"atom_expr", "power", "raise_stmt"} and not is_said:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, _index: int) -> Any:  # noqa: ANN401 - parso is not typed
        """The statement as `pass`."""
        parse: Any = parso.parse
        (instead,) = parse("pass\n").children[:1]
        instead.get_first_leaf().prefix = node.get_first_leaf().prefix
        return instead

    @classmethod
    def examples(cls) -> tuple[()]:
        """None: the package's own tests ask for them."""
        return ()


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module: what was done, on which line, and the module as it is then."""

    module: str
    change: str
    line: int
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant and what the tests said; `by` is the test that failed or did not end, if any."""

    module: str
    key: str
    by: str
    change: str
    line: int
    text: str
    outcome: str
    tests: int
    seconds: float
    commit: str
    machine: str


def key_of(module: str, by: str) -> str:
    """A hash of what a trial's outcome hangs on: the module and the test that failed, or all tests where none did."""
    whole = hashlib.sha256(_bytes(ROOT / module))
    if by:
        whole.update(_test(by).encode())
    else:
        for path in (ROOT / place.partition("::")[0] for place in TARGETS[module]):
            for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
                whole.update(_bytes(file))
    return whole.hexdigest()[:16]


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b"gone"


def _test(name: str) -> str:
    """The text of one test; a test of another name or place is another test."""
    place, _, function = name.partition("::")
    source = _bytes(ROOT / place).decode()
    wanted = function.partition("[")[0].rpartition("::")[2]
    nodes = (it for it in ast.walk(ast.parse(source)) if isinstance(it, ast.FunctionDef | ast.ClassDef))
    return next((ast.get_source_segment(source, it) or "" for it in nodes if it.name == wanted), "gone")


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module, each once."""
    original = (ROOT / module).read_text(encoding="utf-8")
    found: dict[str, Mutant] = {}
    for change, source in _lua(original) if module.endswith(".lua") else _python(original):
        if source == original or not _is_valid(module, source):
            continue
        line = next(
            number
            for number, (one, other) in enumerate(zip(original.split("\n"), source.split("\n"), strict=False), 1)
            if one != other
        )
        text = (original if change.startswith("Remove") else source).split("\n")[line - 1].strip()
        if text.startswith("@dataclass"):
            continue  # that nothing is assigned to a frozen instance is mypy's to say
        found.setdefault(source, Mutant(module, change, line, text, source))
    return sorted(found.values(), key=lambda one: (one.line, one.change))


def _is_valid(module: str, source: str) -> bool:
    try:
        return module.endswith(".lua") or ast.parse(source) is not None
    except SyntaxError:  # an operator took the star of a parameter list for one of multiplication
        return False


def _python(original: str) -> Iterator[tuple[str, str]]:
    named: list[tuple[str, Operator]] = [(name, get_operator(f"core/{name}")()) for name in _OPERATORS]
    for name, operator in [*named, ("RemoveStatement", RemoveStatement())]:
        occurrence = 0
        while (mutated := MutationVisitor.mutate_code(original, operator, occurrence)) is not None:
            yield name, mutated
            occurrence += 1


def _lua(original: str) -> Iterator[tuple[str, str]]:
    lines = original.split("\n")
    for number, line in enumerate(lines):
        code = line.partition("--")[0]
        changed = [
            (f"{pattern} -> {instead}", code[: one.start()] + instead + code[one.end() :])
            for pattern, instead in _LUA
            for one in re.finditer(pattern, code)
        ]
        if re.match(r"\s*(redis\.call|[a-z_]+)\(.*\)\s*$", code):
            changed.append(("RemoveCall", ""))
        for change, instead in changed:
            yield change, "\n".join([*lines[:number], instead, *lines[number + 1 :]])


def trials(results: Path = RESULTS) -> list[Trial]:
    """What was run so far, whatever the sources were."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return [Trial(**json.loads(line)) for line in lines]


def fresh(results: Path = RESULTS) -> dict[str, list[Trial]]:
    """By module what was run of the sources as they are now."""
    now = functools.cache(key_of)
    found: dict[str, list[Trial]] = {module: [] for module in TARGETS}
    for trial in trials(results):
        if trial.module in found and now(trial.module, trial.by) == trial.key:
            found[trial.module].append(trial)
    return found


def run(only: list[str], minutes: float, jobs: int) -> int:
    """Run what was not run yet, modules side by side; 1 where a mutant survived in this run."""
    until = time.monotonic() + minutes * 60
    chosen = [module for module in TARGETS if not only or any(part in module for part in only)]
    trees: SimpleQueue[Path] = SimpleQueue()

    def on_a_tree(module: str) -> int:
        tree = trees.get()
        paths = os.pathsep.join(str(tree / part) for part in ("schemas", "services", "."))
        alone = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        left = str(max(0.0, until - time.monotonic()) / 60)
        command = [sys.executable, "-m", "scripts.mutant_trials", module, "--results", str(RESULTS), "--minutes", left]
        try:
            return subprocess.run(command, cwd=tree, env=os.environ | alone, check=False).returncode
        finally:
            trees.put(tree)

    with ExitStack() as stack:
        for _ in range(jobs):
            trees.put(stack.enter_context(worktree()))
        with ThreadPoolExecutor(jobs) as pool:
            return max(pool.map(on_a_tree, chosen), default=0)


def append(trial: Trial, results: Path) -> None:
    """One more line of results, whole also where two processes write."""
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("ab", buffering=0) as file:
        file.write((json.dumps(asdict(trial)) + "\n").encode())


def page() -> str:
    """Survivors on one page, with the reason of each that is equivalent."""
    found = fresh()
    reasons = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")) if EQUIVALENT.exists() else {}
    rows, survivors = [], []
    for module, tried in found.items():
        total = len(mutants_of(module))
        lost = [one for one in tried if one.outcome == "survived"]
        rows.append(f"| `{module}` | {total} | {len(tried)} | {len(tried) - len(lost)} | {len(lost)} |")
        survivors += [_survivor(one, reasons) for one in lost]
    stale = len(trials()) - sum(len(tried) for tried in found.values())
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return "\n".join(
        [
            "# Mutants",
            "",
            f"Made by `make mutants-page` at {commit} from what `make mutants` ran; a module whose source or tests",
            f"changed since is run again ({stale} trials of other sources are stale). Timeouts count as killed. Lines",
            "of the log are left alone, and so are arguments of `@dataclass`: mypy watches over what is frozen.",
            "",
            "| module | mutants | tried | killed | survived |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "## Survivors",
            "",
            *(survivors or ["None of those tried."]),
            "",
        ]
    )


def _survivor(trial: Trial, reasons: dict[str, Any]) -> str:
    known = reasons.get(trial.module, {}).get(f"{trial.change}: {trial.text}")
    return f"- `{trial.module}:{trial.line}` {trial.change}: `{trial.text}` ({known or 'not explained yet'})"


def main(words: Iterable[str] | None = None) -> int:
    """Run mutants, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="parts of module paths")
    parser.add_argument("--minutes", type=float, default=24 * 60.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", type=Path)
    given = parser.parse_args(None if words is None else list(words))
    if given.page is not None:
        given.page.write_text(page(), encoding="utf-8")
        return 0
    return run(given.only, given.minutes, given.jobs)


if __name__ == "__main__":
    sys.exit(main())
