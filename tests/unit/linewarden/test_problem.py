"""What is gathered for somebody who helps holds no secret, and a part that cannot be gathered says why."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from linewarden.cli import main


def test_a_problem_is_gathered_without_secrets_also_with_everything_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = tmp_path / "ingest.log", tmp_path / "problem.zip"
    log.write_text(
        '{"event": "camera away", "url": "rtsp://line:hunter2@10.0.0.5/1"}\npassword=hunter2 x\n' + "x\n" * 6000
    )
    for name, value in {
        "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "KAFKA__BOOTSTRAP_TIMEOUT_MS": "500",
        "KAFKA__REQUEST_TIMEOUT_MS": "500",
        "REDIS__PORT": "1",
        "STATION__LINK_TOKEN": "hunter2hunter2hunter2",
        "INGEST__CAMERAS": '[{"url": "rtsp://a:hunter2@b"}]',
    }.items():
        monkeypatch.setenv(f"LINEWARDEN_{name}", value)
    monkeypatch.setattr(sys, "argv", ["linewarden", "report", "problem", "--out", str(out), "--log", str(log)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "look through it" in capsys.readouterr().out
    with zipfile.ZipFile(out) as file:
        held = {name: file.read(name).decode() for name in file.namelist()}
    assert held.keys() == {
        *("versions.json", "settings.json", "doctor.json", "topics.json", "dead-letters.json"),
        "log-0-ingest.log",
    }
    assert not [name for name, text in held.items() if "hunter2" in text]
    assert json.loads(held["settings.json"])["LINEWARDEN_STATION__LINK_TOKEN"] == "(set)"
    assert "no broker answers" in json.loads(held["topics.json"])["not gathered"]
    assert "linewarden" in json.loads(held["versions.json"])["packages"]
    assert len(held["log-0-ingest.log"].splitlines()) == 5000


def test_secrets_are_blotted_out_of_a_log(tmp_path: Path) -> None:
    from linewarden.commands.problem import _tail  # noqa: PLC0415 - its own rule, on one line each

    (tmp_path / "log").write_text(
        'url rtsp://line:hunter2@10.0.0.5/1\n{"password": "hunter2", "n": 1}\ntoken=hunter2\n'
    )
    told = list(_tail(tmp_path / "log"))
    assert told == ["url rtsp://line:***@10.0.0.5/1\n", '{"password": "***", "n": 1}\n', "token=***\n"]
