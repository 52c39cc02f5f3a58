"""What was run, one line of JSON a run, and which of it still counts for the sources as they are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "docs" / "results" / "data" / "faults.jsonl"
_STAGES = ("ingest", "inspect", "route")
_BELOW = ("domain", "runtime", "vision", "audit")
_SUFFIXES = (".py", ".lua")


def line_of(*more: str) -> tuple[str, ...]:
    """Folders of what every line runs and of the balance that judges it, and of the further services that a row has.

    What is not on the line (training, reports, archive, and composition by `linewarden`) makes no result stale.
    """
    return ("schemas", *(f"services/linewarden_{name}" for name in (*_BELOW, *_STAGES, *more)))


class Outcome(StrEnum):
    """What a run came to."""

    HELD = "held"
    """The fault was seen to happen, the line came back, and everything adds up."""
    FAILED = "failed"
    """Something was lost, doubled, passed wrongly or is unsound, or the line did not come back."""
    NOT_SHOWN = "not shown"
    """The fault could not be seen to have happened: the run says nothing."""
    NOT_RUN = "not run"
    """The machine lacks something; no run."""


class RecordedRow(Protocol):
    """What is run again and again: its name, and the sources that a result is keyed by."""

    @property
    def name(self) -> str:
        """How results name it."""
        ...

    @property
    def module(self) -> ModuleType:
        """Where its strike lies."""
        ...

    @property
    def covers(self) -> tuple[str, ...]:
        """Folders of what its line runs and of what judges it, from the root of the repository."""
        ...


@dataclass(frozen=True)
class Run:
    """One run. Counts are of this run alone, findings those that no run before had; `sources` see `key_of`."""

    row: str
    run: int
    seed: str
    sources: str
    outcome: Outcome
    seconds: float
    parts: int
    routed: dict[str, int]
    lost: int
    doubled: int
    passed_wrongly: int
    unsound: int
    seen: dict[str, Any] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()


class Recorded:
    """The file of results."""

    def __init__(self, path: Path = RESULTS) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        told: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.runs = [one for one in told if one["outcome"] != Outcome.NOT_RUN]
        self.not_run: dict[str, str] = {one["row"]: one["why"] for one in told if one["outcome"] == Outcome.NOT_RUN}
        """Why a row could not be run, when it was tried last."""

    def append(self, run: Run, commit: str, machine: str, at: str) -> None:
        """Add a run, on disk at once and whole."""
        line = asdict(run) | {"commit": commit, "machine": machine, "at": at}
        self.runs.append(line)
        self._write(line)

    def tell_not_run(self, row: RecordedRow, why: str, commit: str, machine: str, at: str) -> None:
        """Say why a row could not be run, on which machine."""
        said = {"row": row.name, "outcome": Outcome.NOT_RUN, "why": why}
        self._write(said | {"commit": commit, "machine": machine, "at": at})

    def _write(self, line: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def counting(self, row: RecordedRow) -> list[dict[str, Any]]:
        """The runs of a row that ran on the sources as they are now."""
        key = key_of(row)
        return [run for run in self.runs if run["row"] == row.name and run["sources"] == key]


def key_of(row: RecordedRow) -> str:
    """A hash of every source that a row covers, and of the row's own module."""
    paths = [Path(str(row.module.__file__))]
    paths += [path for path in _sources(row.covers) if path.suffix in _SUFFIXES]
    whole = hashlib.sha256()
    for path in paths:
        whole.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:16]


def commit() -> str:
    """The commit, with a mark where the sources differ from it."""
    return _git("rev-parse", "--short", "HEAD") + (
        "+" if _git("status", "--porcelain", "services", "schemas", "tests") else ""
    )


def _sources(folders: Iterable[str]) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
