"""A small share of the simulation: two hundred short histories, each a whole line under faults, and some whole ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.simulation.history import happen
from tests.simulation.plan import draw

ROOT = Path(__file__).parents[2]


def wrong_in(seeds: Iterable[int], *, is_short: bool = True, only: str | None = None) -> list[str]:
    """What does not hold, with the command that repeats it and shrinks it to what it needs."""
    how = " --short" * is_short + (f" --only '{only}'" if only else "")
    kinds = None if only is None else (only,)
    return [
        f"python -m tests.simulation --shrink --seed {seed}{how}: {wrong}"
        for seed in seeds
        for wrong in happen(draw(seed, kinds, is_short=is_short)).wrong
    ]


@pytest.mark.parametrize("first", range(1, 201, 50))
def test_nothing_is_lost_doubled_stranded_or_passed_wrongly_whatever_fails(first: int) -> None:
    assert wrong_in(range(first, first + 50)) == []


def test_nothing_goes_wrong_in_whole_histories_either() -> None:
    assert wrong_in((1, 2), is_short=False) == []


def test_a_seed_gives_the_same_history_each_time() -> None:
    """Also in another process, whose hashes of strings are others."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    command = [sys.executable, "-m", "tests.simulation", "--seed", "13"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert f"digest {happen(draw(13)).digest}," in done.stdout, done.stdout + done.stderr


def test_restarts_of_ingest_alone_raise_no_alarm() -> None:
    assert wrong_in(range(1, 9), only="restart of ingest") == []
