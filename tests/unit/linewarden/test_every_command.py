"""Whatever is typed after any command, with no broker there, is answered in one line and a code, never a traceback."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden.cli import app, main
from tests.support.commands import Command, Parameter, every_command

COMMANDS = {one.name: one for one in every_command(app)}
RUNS = {"demo", "run", "gate simulate", "camera show"}
"""What does not end by itself where everything is well; wrong words are refused all the same."""
WRONG_PATHS = ("missing", "folder", "empty", "garbage", "list.json", "file/x", "nodir/x")
WRONG_WORDS = ("", "w/ö rt:@", "9" * 400)
WRONG_NUMBERS = ("-1", "nan", "inf", "9" * 30, "1e400")
pytestmark = pytest.mark.filterwarnings("ignore")  # what third parties say of garbage is not the point


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of things that are not what anybody asks for, no broker, no Redis, and no input."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "read.me").write_text("x")
    (tmp_path / "empty").touch()
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "file").write_text("x\n")
    settings = {
        "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "KAFKA__BOOTSTRAP_TIMEOUT_MS": "500",
        "KAFKA__REQUEST_TIMEOUT_MS": "500",
        "REDIS__PORT": "1",
        "REDIS__RETRIES": "0",
        "STATION__DATA": str(tmp_path / "station"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"LINEWARDEN_{name}", value)
    monkeypatch.chdir(tmp_path)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path
    for number, handler in kept.items():
        signal.signal(number, handler)


def told(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """The exit code and what was printed; a traceback is an exception here."""
    monkeypatch.setattr(sys, "argv", ["linewarden", *words])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(SystemExit) as ended:
        main()
    heard = capsys.readouterr()
    return ended.value.code, heard.err + heard.out


def wrong(parameter: Parameter) -> tuple[str, ...]:
    """Values that people give by mistake."""
    if parameter.kind is Path:
        return WRONG_PATHS
    return {str: WRONG_WORDS, int: WRONG_NUMBERS, float: WRONG_NUMBERS}.get(parameter.kind, ("nonsense",))


def check(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = told(words, monkeypatch, capsys)
    if code in {0, None}:
        return
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(("[ WARN", "[ERROR"))]
    assert lines, f"{words} ended with {code} and no word"
    assert "Traceback" not in said, words
    assert "errors.pydantic.dev" not in said, words


def test_the_table_covers_every_command_that_help_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(COMMANDS) > 60
    assert {"find", "recipe add", "audit balance", "replay", "users erase"} <= COMMANDS.keys()


@pytest.mark.parametrize(
    "command", [one for name, one in COMMANDS.items() if name not in RUNS], ids=lambda one: one.name
)
def test_with_the_broker_away_and_nothing_there_a_command_ends_in_words(
    command: Command, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check(command.line(), monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", [one for name, one in COMMANDS.items() if name != "run"], ids=lambda one: one.name)
def test_whatever_is_wrong_in_one_place_is_told(
    command: Command, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    is_refused_early = command.name not in RUNS
    for parameter in command.parameters:
        for value in wrong(parameter) if parameter.kind is not bool else ():
            if is_refused_early or value in {"nan", "nonsense", "file/x"}:
                check(command.line(**{parameter.name: value}), monkeypatch, capsys)
