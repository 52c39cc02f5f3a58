"""A small share of the fault matrix: two cheap rows, once each on one line, through the same code as `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.matrix.bed import Needs, bed
from tests.faults.matrix.play import Series, settle
from tests.faults.matrix.results import Outcome
from tests.faults.matrix.rows import named

pytestmark = [pytest.mark.faults, pytest.mark.alone, pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(600)]


def test_route_is_killed_and_connections_are_reset_and_everything_adds_up(tmp_path: Path) -> None:
    with bed(tmp_path / "line", Needs(proxied=True)) as tested:
        settle(tested)
        runs = [Series(row, tested).run(1) for row in named(["kill-route", "tcp-reset"])]
    assert [(run.outcome, run.words) for run in runs] == [(Outcome.HELD, ())] * 2
    assert all(run.parts and run.seen for run in runs)
