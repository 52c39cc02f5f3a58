"""The command line stays light, and tells people what to do in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from linewarden.cli import _MAINS, ServiceName, main


def test_nothing_heavy_is_imported_before_a_command_needs_it() -> None:
    heavy = {"torch", "timm", "cv2", "numpy", "kafka", "redis", "pydantic", "fastapi"}
    script = "import sys, linewarden.cli; print(*sys.modules, sep='\\n')"
    listed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not heavy & set(listed.stdout.split())


def test_every_service_has_an_entry() -> None:
    assert set(_MAINS) == set(ServiceName)


def test_a_fault_that_people_can_mend_is_one_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["linewarden", "topics", "list"])
    monkeypatch.setenv("LINEWARDEN_COLOUR", "red")
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 78
    assert told.startswith("linewarden: unknown settings LINEWARDEN_COLOUR")
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (("inspect", ".", "--bundle", ".", "--out", "o.jsonl"), "torch", "inspect"),
        (("run", "station"), "fastapi", "reinspect"),
        (("data", "check", "."), "cv2", "inspect"),
        (("audit", "key", "--out", "k"), "cryptography", "audit"),
        (("users", "list"), "argon2", "reinspect"),
        (("archive", "list", "."), "pyarrow", "archive"),
        (("msa", "report", "."), "jinja2", "history"),
        (("gate", "simulate"), "pymodbus", "onward"),
    ],
)
def test_a_command_whose_extra_is_not_installed_names_it(
    command: tuple[str, ...], module: str, extra: str, tmp_path: Path
) -> None:
    script = f"import sys; sys.modules[{module!r}] = None; from linewarden.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.stderr == f"linewarden: {module} is missing: pip install 'linewarden[{extra}]'\n"
    assert ran.returncode == 78


@pytest.mark.parametrize(
    "command",
    [
        ("demo", "--parts", "3", "--out", "nodir/x.json"),
        ("demo", "--parts", "3", "--work", "file/w"),
        ("data", "groups", ".", "--out", "nodir/g.csv"),
        ("audit", "key", "--out", "nodir/k"),
        ("report", "shift", "--page", "nodir/p.html"),
        ("train", "--data", ".", "--out", "file/bundle"),
        ("evaluate", "--data", ".", "--bundle", ".", "--out", "file/report"),
        ("inspect", ".", "--bundle", ".", "--out", "nodir/o.jsonl"),
        ("inspect", ".", "--bundle", ".", "--out", "o.jsonl", "--maps", "file/maps"),
    ],
)
def test_where_a_result_cannot_be_written_is_told_in_one_line_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["linewarden", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code in {2, 78}
    assert "cannot be" in told
    assert "Traceback" not in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_disk_that_is_full_after_all_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "out.jsonl")

    monkeypatch.setattr("linewarden.cli.app", full)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (1, "linewarden: out.jsonl: No space left on device\n")
