"""A small share of the simulation: two hundred short histories, each a whole line under faults, and some whole ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("which", [("--seeds", "200", "--short"), ("--seeds", "2")])
def test_nothing_is_lost_doubled_stranded_or_passed_wrongly_whatever_fails(which: tuple[str, ...]) -> None:
    done = run(*which, "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_gives_the_same_history_each_time() -> None:
    first, second = (run("--seed", "13").stdout.splitlines()[0] for _ in range(2))
    assert "digest" in first
    assert first == second


def test_restarts_of_ingest_alone_raise_no_alarm() -> None:
    done = run("--seeds", "8", "--short", "--jobs", "1", "--only", "restart of ingest")
    assert done.returncode == 0, done.stdout + done.stderr
