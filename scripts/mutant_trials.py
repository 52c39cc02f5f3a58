"""The trials of one module's mutants: pytest collects once, and each mutant is a fork of it.

    python -m scripts.mutant_trials MODULE --results FILE --minutes N

Started by scripts/mutants.py in a worktree of its own. A fork takes the mutant's code into the functions that are
loaded, or a default, or a module's constant, and runs only the tests that cover the changed line, the fastest first.
What else is outside of functions (the body of a class) is tried by a fresh process on the changed file.
"""

from __future__ import annotations

import argparse
import ast
import faulthandler
import gc
import os
import platform
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import coverage
import pytest

from scripts.mutants import ROOT, TARGETS, Mutant, Trial, append, fresh, key_of, mutants_of

_FIXED_S, _FACTOR = 20, 6  # how long a test of a mutant may take: so much, and so many times what it takes unchanged
_COVERING_S = 3600
_BROKEN = 77


class Trials:
    """A pytest plugin that runs mutants in place of the tests."""

    def __init__(self, module: str, until: float, results: Path) -> None:
        self.module, self.until, self.results = module, until, results
        self.path = ROOT / module
        self.original = self.path.read_text(encoding="utf-8")
        self.commit = _commit()
        self.survived = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Find out which tests cover which line, then try every mutant that was not tried yet."""
        known = {(one.line, one.change, one.text) for one in fresh(self.results)[self.module]}
        left = [one for one in mutants_of(self.module) if (one.line, one.change, one.text) not in known]
        print(f"{self.module}: {len(left)} to try, {len(known)} tried", flush=True)
        if not left:
            return True
        seconds, lines = self._covering(session)
        for mutant in left:
            if time.monotonic() > self.until:
                print(f"{self.module}: time is over; the next run goes on here", flush=True)
                break
            covered = sorted(self._covered(mutant, seconds, lines), key=lambda test: (seconds[test], test))
            limits = {one: _FIXED_S + _FACTOR * seconds[one] for one in covered}
            began = time.monotonic()
            outcome, by = self._tried(mutant, session, limits)
            took = round(time.monotonic() - began, 2)
            self.survived += outcome == "survived"
            named = (self.module, key_of(self.module, by), by, mutant.change, mutant.line, mutant.text)
            machine = f"{platform.machine()}, {os.cpu_count()} cores"
            append(Trial(*named, outcome, len(covered), took, self.commit, machine), self.results)
            print(f"  {outcome:8} {self.path.stem}:{mutant.line}: {mutant.change}: {mutant.text[:80]}", flush=True)
        return True

    def _covering(self, session: pytest.Session) -> tuple[dict[str, float], dict[int, set[str]]]:
        """How long each test takes, and the tests that run each line; raises SystemExit where one fails unchanged."""
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            data, times = Path(folder) / "coverage", Path(folder) / "seconds"

            def measured() -> int:
                watching = coverage.Coverage(data_file=str(data), include=[str(self.path)], config_file=False)
                before: Callable[[str], object] = str
                if self.path.suffix == ".py":  # of another file nothing is collected, which it warns of
                    watching.start()
                    before = watching.switch_context
                taken = [f"{took}\t{item.nodeid}\n" for item, took in _ran(session, session.items, before)]
                if self.path.suffix == ".py":
                    watching.stop()
                    watching.save()
                times.write_text("".join(taken), encoding="utf-8")
                return int(session.testsfailed > 0)

            if _forked(measured, _COVERING_S, Path(folder)) != 0:
                raise SystemExit(
                    f"the tests of {self.module} do not pass as they are: {' '.join(TARGETS[self.module])}"
                )
            rows = [line.split("\t") for line in times.read_text(encoding="utf-8").splitlines()]
            found = coverage.CoverageData(str(data))
            found.read()
            lines = found.contexts_by_lineno(str(self.path)) if found.measured_files() else {}
        return {test: float(took) for took, test in rows}, {
            line: {test for test in tests if test} for line, tests in lines.items() if any(tests)
        }

    def _covered(self, mutant: Mutant, seconds: dict[str, float], lines: dict[int, set[str]]) -> set[str]:
        """The tests that run the changed statement; of a module's own constant those that run what reads it."""
        if self.path.suffix == ".lua":
            return set(seconds)
        tree = ast.parse(self.original)
        name = constant(tree, mutant.line)
        if mutant.line not in _bodies(tree) if name is None else not name.startswith("_"):
            return set(seconds)
        spans = [_span(tree, mutant.line)] if name is None else [_span(tree, line) for line in _readers(tree, name)]
        return {test for span in spans for line in span for test in lines.get(line, ())}

    def _tried(self, mutant: Mutant, session: pytest.Session, limits: dict[str, float]) -> tuple[str, str]:
        """What one mutant came to, and the test that failed or did not end."""
        items = {item.nodeid: item for item in session.items}
        exchange = None if self.path.suffix == ".lua" else exchanged(self.original, mutant, self.path)
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            running = Path(folder) / "running"

            def changed() -> int:
                if exchange is not None:
                    exchange()
                each = _ran(session, [items[test] for test in limits], begun)
                failed = any(session.testsfailed for _ in each)
                session._setupstate.teardown_exact(None)  # noqa: SLF001 - else servers of fixtures outlive the fork
                return int(failed)

            def begun(test: str) -> None:
                running.write_text(test)
                faulthandler.dump_traceback_later(limits[test], exit=True)  # one that never ends ends the fork

            self.path.write_text(mutant.source, encoding="utf-8")
            try:
                if exchange is None and self.path.suffix == ".py":
                    return _apart([test for test in TARGETS[self.module] if test.startswith("tests/unit")])
                code = _forked(changed, sum(limits.values()), Path(folder)) if limits else 0
            finally:
                self.path.write_text(self.original, encoding="utf-8")
            return _outcome(code), running.read_text(encoding="utf-8") if code != 0 and running.exists() else ""


def exchanged(original: str, mutant: Mutant, path: Path) -> Callable[[], None] | None:
    """What takes a mutant into the loaded module; None where only a fresh process can."""
    one, other = (compile(source, str(path), "exec", dont_inherit=True) for source in (original, mutant.source))
    if _outline(one) == _outline(other):
        before, after = dict(_functions(one)), dict(_functions(other))
        by_code = {code: after[name] for name, code in before.items()}
        loaded = [it for it in gc.get_objects() if type(it) is types.FunctionType and it.__code__ in by_code]
        codes = [(it, by_code[it.__code__]) for it in loaded if it.__code__.co_filename == str(path)]

        def functions() -> None:
            for function, code in codes:
                function.__code__ = code

        return functions if codes else None
    name = constant(ast.parse(original), mutant.line)
    home = next((it for it in sys.modules.values() if getattr(it, "__file__", None) == str(path)), None)
    if home is None:
        return None
    assigned = next(it for it in ast.parse(mutant.source).body if it.lineno <= mutant.line <= (it.end_lineno or 0))
    if isinstance(assigned, ast.ClassDef | ast.FunctionDef):
        return _defaults(assigned, home)
    if name is None:
        return None
    value = vars(home)[name]
    users = [it for it in list(sys.modules.values()) if vars(it).get(name) is value]

    def constants() -> None:
        space = dict(vars(home))
        exec(compile(ast.Module([assigned], []), str(path), "exec"), space)
        for user in users:
            setattr(user, name, space[name])

    return constants


def _defaults(changed: ast.ClassDef | ast.FunctionDef, home: types.ModuleType) -> Callable[[], None] | None:
    """What gives the loaded functions, also those that a dataclass got, the defaults of the changed ones."""
    space = dict(vars(home))
    exec(compile(ast.Module([changed], []), str(home.__file__), "exec", dont_inherit=True), space)
    one, other = vars(home)[changed.name], space[changed.name]
    is_class = isinstance(one, type)
    pairs: list[tuple[Any, Any]] = [(vars(one).get(name), it) for name, it in vars(other).items()] if is_class else []
    pairs += [] if is_class else [(one, other)]
    functions = [it for it in pairs if all(isinstance(each, types.FunctionType) for each in it)]
    differing = [(it, to) for it, to in functions if _defaults_of(it) != _defaults_of(to)]

    def defaults() -> None:
        for it, to in differing:
            it.__defaults__, it.__kwdefaults__ = to.__defaults__, to.__kwdefaults__

    return defaults if differing else None


def _defaults_of(function: Any) -> tuple[object, object]:  # noqa: ANN401 - what `vars` of a class holds
    return function.__defaults__, function.__kwdefaults__


def constant(tree: ast.Module, line: int) -> str | None:
    """The constant that a line of a module assigns and that only bodies of functions read, if it does."""
    for it in tree.body:
        targets = it.targets if isinstance(it, ast.Assign) else [it.target] if isinstance(it, ast.AnnAssign) else []
        if it.lineno <= line <= (it.end_lineno or 0) and len(targets) == 1 and isinstance(targets[0], ast.Name):
            return targets[0].id if set(_readers(tree, targets[0].id)) <= _bodies(tree) else None
    return None


def _bodies(tree: ast.Module) -> set[int]:
    """The lines of all bodies of functions."""
    functions = (it for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef))
    return {line for it in functions for line in range(it.body[0].lineno, (it.end_lineno or 0) + 1)}


def _readers(tree: ast.Module, name: str) -> list[int]:
    found = (it for it in ast.walk(tree) if isinstance(it, ast.Name) and isinstance(it.ctx, ast.Load))
    return [it.lineno for it in found if it.id == name]


def _span(tree: ast.Module, line: int) -> range:
    """The lines of the innermost statement around a line; of one with a body, its head."""
    heads = [
        range(it.lineno, body[0].lineno if (body := getattr(it, "body", None)) else (it.end_lineno or 0) + 1)
        for it in ast.walk(tree)
        if isinstance(it, ast.stmt)
    ]
    return max((head for head in heads if line in head), key=lambda head: head.start, default=range(line, line + 1))


def _outline(code: types.CodeType) -> object:
    """What runs when a module or class body is executed, without the bodies of its functions."""
    inner = [
        _outline(it) if _is_class(it) else it.co_qualname if isinstance(it, types.CodeType) else (type(it), it)
        for it in code.co_consts
    ]
    return code.co_code, code.co_names, inner


def _functions(code: types.CodeType) -> Iterator[tuple[tuple[str, int], types.CodeType]]:
    """Functions of a module and of its classes, by name and how many of that name came before."""
    seen: dict[str, int] = {}

    def inside(outer: types.CodeType) -> Iterator[tuple[tuple[str, int], types.CodeType]]:
        for it in outer.co_consts:
            if _is_class(it):
                yield from inside(it)
            elif isinstance(it, types.CodeType):
                seen[it.co_qualname] = seen.get(it.co_qualname, -1) + 1
                yield (it.co_qualname, seen[it.co_qualname]), it

    yield from inside(code)


def _is_class(it: object) -> bool:
    # The body of a class is the only code that begins by naming its module.
    return isinstance(it, types.CodeType) and "__module__" in it.co_names and "__qualname__" in it.co_names


def _ran(
    session: pytest.Session, items: list[pytest.Item], before: Callable[[str], object] = str
) -> Iterator[tuple[pytest.Item, float]]:
    """Run tests one after the other, and tell how many seconds each took; fixtures end where they are not asked on."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        before(item.nodeid)
        began = time.monotonic()
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        yield item, time.monotonic() - began


def _forked(work: Callable[[], int], limit_s: float, folder: Path) -> int | None:
    """What a fork of this process answered; None where it took longer than `limit_s` seconds."""
    pid = os.fork()
    if pid == 0:
        code = _BROKEN
        try:
            os.setsid()
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            code = work()
        finally:
            os._exit(code)
    handle = os.pidfd_open(pid)
    try:
        ended = bool(select.select([handle], [], [], limit_s)[0])
    finally:
        os.close(handle)
    with suppress(ProcessLookupError):  # what it started may have ended with it
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if ended else None


def _apart(tests: list[str]) -> tuple[str, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", *tests]
    try:
        ran = subprocess.run(command, cwd=ROOT, timeout=_COVERING_S, check=False, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return _outcome(None), ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)
    return _outcome(ran.returncode), failed[1] if failed else ""


def _outcome(code: int | None) -> str:
    return "timeout" if code is None else "killed" if code else "survived"


def _commit() -> str:
    ran = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def main() -> int:
    """Try the mutants of one module; 1 where one survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", choices=TARGETS)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=24 * 60.0)
    given = parser.parse_args()
    trials = Trials(given.module, time.monotonic() + given.minutes * 60, given.results)
    by_hand = ["-m", "not kafka", "-k", "not tansu"]  # a broker of its own for every mutant would take for ever
    ended = pytest.main(["-q", "-s", "--no-header", *by_hand, *TARGETS[given.module]], plugins=[trials])
    return int(ended) or int(trials.survived > 0)


if __name__ == "__main__":
    sys.exit(main())
