"""Each row of `make plant`, once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.plant.rows import ROWS

pytestmark = [pytest.mark.faults, pytest.mark.alone, pytest.mark.kafka, pytest.mark.plant, pytest.mark.timeout(1500)]


def test_cameras_and_outputs_are_struck_once_in_each_way_and_everything_adds_up(tmp_path: Path) -> None:
    results = tmp_path / "plant.jsonl"
    command = [sys.executable, "-m", "tests.faults.plant", "--runs", "1", "--jobs", "2"]
    done = subprocess.run([*command, "--results", str(results)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = [json.loads(text) for text in results.read_text().splitlines()]
    assert {run["row"] for run in runs} == {row.name for row in ROWS}
    assert all(run["parts"] and run["seen"]["named_s"] <= run["seen"]["limit_s"] for run in runs)
