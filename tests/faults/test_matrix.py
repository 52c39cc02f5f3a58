"""A small share of the fault matrix: two cheap rows, once each, through the same code as `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.matrix.play import play
from tests.faults.matrix.results import Outcome, Run
from tests.faults.matrix.rows import named

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", ["kill-route", "tcp-reset"])
def test_a_row_of_the_matrix_is_struck_once_and_holds(name: str, tmp_path: Path) -> None:
    (row,) = named([name])
    runs: list[Run] = []

    def tell(run: Run) -> bool:
        runs.append(run)
        return True

    play(row, [1], tmp_path / "line", tell)
    assert [(run.outcome, run.words) for run in runs] == [(Outcome.HELD, ())]
    assert runs[0].parts
    assert runs[0].seen
