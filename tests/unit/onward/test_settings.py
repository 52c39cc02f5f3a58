"""One output a process, of any kind, from the environment or a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from linewarden.cli import main as command_line
from linewarden_onward import bootstrap
from linewarden_onward.kinds import KINDS
from linewarden_onward.outputs.file import FileOptions
from linewarden_onward.settings import FirstStart, OnwardOptions, OnwardSettings, with_output
from linewarden_runtime.errors import ConfigurationError
from tests.support.distributions import installed

MODULE = """
from typing import Literal
from linewarden_onward.options import OutputOptions

class LampOptions(OutputOptions):
    kind: Literal["lamp"] = "lamp"
    watts: int

    def open(self, run):
        raise AssertionError
"""


@pytest.fixture
def lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of output that another distribution brings."""
    points = {"linewarden.outputs": {"lamp": "acme_lamp:LampOptions"}}
    monkeypatch.syspath_prepend(installed(tmp_path / "acme", "acme-lamp", {"acme_lamp.py": MODULE}, points))


def test_an_output_is_read_by_its_kind_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWARDEN_ONWARD__OUTPUT", '{"kind": "file", "output_id": "log", "path": "/tmp/x"}')
    options, output = with_output(OnwardSettings.load().onward)
    assert output == FileOptions(output_id="log", path=Path("/tmp/x"))
    assert (options.start, options.simulated_opens) == (FirstStart.LATEST, False)


def test_or_from_a_file_that_says_more_of_the_section(tmp_path: Path) -> None:
    file = tmp_path / "output.toml"
    file.write_text(
        'line_id = "line7"\nstart = "earliest"\n[output]\nkind = "file"\noutput_id = "log"\npath = "/tmp/x"\n'
    )
    options, output = with_output(OnwardOptions(config=file, simulated_opens=True))
    assert (options.line_id, options.start, options.simulated_opens) == ("line7", FirstStart.EARLIEST, True)
    assert isinstance(output, FileOptions)


def test_another_distribution_brings_a_kind(lamp: None) -> None:
    file = OnwardOptions.model_validate({"output": {"kind": "lamp", "output_id": "l1", "watts": 5}})
    assert file.model_dump()["output"]["watts"] == 5
    assert KINDS.brought() == {"lamp": "acme-lamp 1.0"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "onward has no output"),
        ('[output]\noutput_id = "x"', "an output needs its kind, one of .*file.*, webhook"),
        ('[output]\nkind = "horn"\noutput_id = "x"', "no output is of kind 'horn'; known are .*file.*, webhook"),
        ('[output]\nkind = "file"\noutput_id = "x"\npath = "/tmp/x"\ncolour = "red"', "colour"),
        ("[output", "output.toml"),
    ],
    ids=["none", "no kind", "unknown kind", "unknown key", "no TOML"],
)
def test_what_is_none_is_refused_with_what_to_do(tmp_path: Path, given: str, why: str) -> None:
    file = tmp_path / "output.toml"
    file.write_text(given)
    with pytest.raises(ConfigurationError, match=why):
        with_output(OnwardOptions(config=file))


def test_no_plant_is_told_of_a_replay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LINEWARDEN_NAMESPACE", "replay.run1")
    monkeypatch.setenv("LINEWARDEN_ONWARD__OUTPUT", '{"kind": "file", "output_id": "log", "path": "/tmp/x"}')
    assert bootstrap.main() == 78
    assert "no plant is told of it" in capsys.readouterr().err


def test_the_command_line_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["linewarden", "run", "onward"])
    monkeypatch.setattr(bootstrap, "main", lambda _argv: 7)
    with pytest.raises(SystemExit) as ended:
        command_line()
    assert ended.value.code == 7
