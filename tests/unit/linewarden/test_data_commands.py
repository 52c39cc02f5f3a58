"""`linewarden data` says what a folder holds, and its exit code tells whether it can be used."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from linewarden.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pictures, one of them twice, and a bad one that is the same again."""
    rng = np.random.default_rng(0)
    first, second = (cv2.resize(rng.integers(0, 255, (9, 9)).astype(np.uint8), (90, 90)) for _ in range(2))
    for name, picture in (("good/a", first), ("good/b", second), ("bad/c", first)):
        path = tmp_path / "set" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture)
    return tmp_path / "set"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["linewarden", "data", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_check_counts_what_is_there_and_exits_with_1_only_for_errors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "check", str(folder), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["layout"] == "plain (saw good/a.png, bad/c.png)"
    assert told["classes"][-1] == {"class": "all", "pictures": 3, "groups": 3}
    assert told["unannotated"] == ["bad/c.png"]
    (folder / "good" / "b.png").write_bytes(b"?")
    assert run(monkeypatch, "check", str(folder)) == 1
    assert "errors (1):" in capsys.readouterr().out


def test_groups_finds_the_same_thing_twice_with_another_label_and_writes_it_down(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "groups.csv"
    assert run(monkeypatch, "groups", str(folder), "--json", "--out", str(out)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["groups"] == 2
    assert told["mixed"] == ["good/a.png"]
    with out.open(newline="") as file:
        rows = {row["image"]: row["group"] for row in csv.DictReader(file)}
    assert rows["bad/c.png"] == rows["good/a.png"] == "good/a.png"


def test_a_folder_without_a_layout_is_one_message_and_a_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "check", str(tmp_path)) == 78
    told = capsys.readouterr().err
    assert told.startswith("linewarden: ")
    assert "plain: good/ and bad/" in told
    assert "Traceback" not in told
