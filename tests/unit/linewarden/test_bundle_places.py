"""Commands that make a bundle refuse a folder of other things before they work, not after."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from linewarden.cli import main


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--data", "empty"],
        ["teach", "--good", "empty", "--bad", "empty"],
        ["qualify", "--data", "empty", "--bundle", "empty", "--max-pass-rate", "0.05"],
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_a_folder_of_other_things_is_refused_before_anything_is_read(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    monkeypatch.setattr(sys, "argv", ["linewarden", *arguments, "--out", "out"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code not in (0, None)
    assert "notes.txt" in capsys.readouterr().err


def test_a_trust_score_that_nobody_offers_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    arguments = ["train", "--data", "empty", "--out", "out", "--score", "margin", "--score", "gloss"]
    monkeypatch.setattr(sys, "argv", ["linewarden", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code not in (0, None)
    said = capsys.readouterr().err
    assert "no trust score 'gloss' is installed" in said
    assert "Traceback" not in said
