"""What of the file of results still counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.matrix import results
from tests.faults.matrix.__main__ import _missing
from tests.faults.matrix.results import Outcome, Recorded, Run, key_of
from tests.faults.matrix.rows import ROWS, named

ROW = ROWS[0]
RUN = Run(
    row=ROW.name, run=1, seed="s", sources="", outcome=Outcome.HELD, seconds=1.0, parts=1, routed={},
    lost=0, doubled=0, passed_wrongly=0, unsound=0,
)  # fmt: skip


def recorded(path: Path, *runs: Run) -> Recorded:
    made = Recorded(path)
    for run in runs:
        made.append(run, "commit", "machine", "now")
    return Recorded(path)


def test_it_goes_on_behind_what_ran_on_the_same_sources(tmp_path: Path) -> None:
    now = replace(RUN, sources=key_of(ROW))
    made = recorded(
        tmp_path / "runs.jsonl", replace(now, run=1), replace(now, run=2), replace(RUN, run=3, sources="old")
    )
    assert list(_missing(ROW, made, 4)) == [3, 4]


def test_a_run_that_was_not_shown_is_made_again_but_not_for_ever(tmp_path: Path) -> None:
    now = replace(RUN, sources=key_of(ROW))
    dull = [replace(now, run=number, outcome=Outcome.NOT_SHOWN) for number in (1, 2, 3)]
    assert list(_missing(ROW, recorded(tmp_path / "one.jsonl", *dull[:1]), 2)) == [2, 3]
    assert list(_missing(ROW, recorded(tmp_path / "all.jsonl", *dull, replace(now, run=4)), 2)) == []


def test_a_row_is_stale_where_what_its_line_runs_has_changed_and_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.read_text() + "a = 1\n" if path.exists() else "")
        return key_of(ROW)

    own = tmp_path / "own.py"
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(ROW.module, "__file__", str(own))
    covered = [own, *(tmp_path / folder / "one.py" for folder in ROW.covers)]
    keys = [changed(path) for path in (*covered, *covered)]
    assert len(set(keys)) == len(keys) > 10
    assert changed(tmp_path / "services" / "linewarden_train" / "one.py") == keys[-1]


def test_twenty_rows_with_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) == 20
    with pytest.raises(SystemExit, match="no row nonsense"):
        named(["nonsense"])
