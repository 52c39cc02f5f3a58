"""`linewarden camera`: what is set and attached, limits from good pictures, passes to be contained, the live page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linewarden.commands import camera
from linewarden_ingest.cameras.conditions import CameraLimits
from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.cameras.line import LineOptions
from linewarden_ingest.cameras.pictures import Encoding, encode
from linewarden_ingest.cameras.video import VideoOptions
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import CameraCondition, Cause, Routing
from tests.support.shift import capture, disposition, visit
from tests.unit.history.test_index import publish
from tests.unit.ingest.test_conditions import drawn
from tests.unit.inspect.harness import NAMESPACE, memory_line

RUNNER = CliRunner()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    for seed in range(50):
        (folder / f"{seed:03}.png").write_bytes(encode(drawn(seed, side=100), Encoding()).data)
    return folder


@pytest.fixture
def set_up(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one camera on the pictures."""
    file = tmp_path / "line.toml"
    file.write_text(f"[[cameras]]\nkind = 'folder'\ncamera_id = 'cam0'\nview_id = 'top'\npath = '{pictures}'\n")
    monkeypatch.setenv("LINEWARDEN_INGEST__CONFIG", str(file))
    return file


def test_what_is_learned_is_a_line_that_the_cameras_settings_take(pictures: Path, set_up: Path) -> None:
    ran = RUNNER.invoke(camera.app, ["teach", "cam0", "--folder", str(pictures)])
    assert ran.exit_code == 0, ran.output
    line = next(one for one in ran.stdout.splitlines() if one.startswith("limits"))
    set_up.write_text(set_up.read_text() + line + "\n")
    told = json.loads(RUNNER.invoke(camera.app, ["teach", "cam0", "--folder", str(pictures), "--json"]).stdout)
    assert CameraLimits.model_validate(tomllib.loads(line)["limits"]) == CameraLimits.model_validate(told["limits"])
    assert (told["camera"], told["pictures"]) == ("cam0", 50)
    listed = json.loads(RUNNER.invoke(camera.app, ["list", "--json"]).stdout)
    assert f"focus {told['limits']['focus']}" in listed["cameras"][0]["limits"]


def test_a_good_picture_that_would_not_keep_the_limits_is_named(pictures: Path) -> None:
    (pictures / "z.png").write_bytes(encode(drawn(1, side=100, light=0.2), Encoding()).data)
    told = json.loads(RUNNER.invoke(camera.app, ["teach", "cam0", "--folder", str(pictures), "--json"]).stdout)
    assert "camera_dark" in told["outside"][str(pictures / "z.png")]


def test_pictures_that_are_too_few_or_none_are_told_in_words(pictures: Path) -> None:
    (pictures / "z.png").write_bytes(b"no picture")
    for given, told in ([pictures / "001.png"], "learned from 50 good ones"), ([pictures / "z.png"], "z.png"):
        ran = RUNNER.invoke(camera.app, ["teach", "cam0", *map(str, given)])
        assert isinstance(ran.exception, ConfigurationError)
        assert told in str(ran.exception)


def test_list_shows_what_is_set_and_what_each_kind_finds_or_why_it_cannot_look(
    set_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(cls: object) -> Sequence[Mapping[str, str]]:
        return [{"path": "pictures", "model": "a folder", "serial": ""}]

    def fail(cls: object) -> Sequence[Mapping[str, str]]:
        raise ConfigurationError("its driver is missing")

    monkeypatch.setattr(FolderOptions, "discover", classmethod(look))
    monkeypatch.setattr(VideoOptions, "discover", classmethod(fail))
    listed = json.loads(RUNNER.invoke(camera.app, ["list", "--json"]).stdout)
    assert [(one["camera"], one["kind"], one["live"]) for one in listed["cameras"]] == [("cam0", "folder", "no")]
    found = [one for one in listed["attached"] if one["kind"] in {"folder", "video", "line"}]
    assert found == [
        {"kind": "folder", "device": "path pictures, model a folder"},
        {"kind": "video", "device": "could not look: its driver is missing"},
    ]
    assert LineOptions.discover() == ()
    assert "a folder" in RUNNER.invoke(camera.app, ["list"]).stdout


def test_without_a_camera_that_is_set_list_says_how_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEWARDEN_INGEST__CONFIG", raising=False)
    ran = RUNNER.invoke(camera.app, ["list"])
    assert (ran.exit_code, "LINEWARDEN_INGEST__CAMERAS" in ran.stdout) == (0, True)


def test_since_lists_what_passed_and_exits_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = memory_line()
    frozen = (CameraCondition.FROZEN,)
    publish(broker, capture(0), disposition(0, Routing.TRUSTED_PASS))
    publish(broker, capture(1, conditions=frozen), disposition(1, Routing.DIVERTED, Cause.FAULT, final=False))
    monkeypatch.setattr("linewarden.commands.recorded.live", lambda: (broker, NAMESPACE))
    index = ["--index", str(tmp_path / "index.sqlite")]
    ran = RUNNER.invoke(camera.app, ["since", "cam1", "--json", *index])
    told = json.loads(ran.stdout)
    assert ([one["visit_id"] for one in told["visits"]], ran.exit_code) == ([visit(0)], 1)
    shown = RUNNER.invoke(camera.app, ["since", "cam1", *index], env={"COLUMNS": "200"})
    assert ("camera_frozen" in shown.stdout, visit(0) in shown.stdout) == (True, True)
    assert RUNNER.invoke(camera.app, ["since", "cam9", *index]).exit_code == 2


def test_show_serves_the_page_until_it_is_interrupted(set_up: Path) -> None:
    program = "from linewarden.cli import main; main()"
    command = [sys.executable, "-u", "-c", program, "camera", "show", "cam0"]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) as shown:
        assert shown.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", shown.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(found[0] + "state", timeout=60) as answer:
            assert json.load(answer)["camera"] == "cam0"
        shown.send_signal(signal.SIGINT)
        assert shown.wait(60) == 0


def test_a_camera_that_is_not_set_is_told_with_those_that_are(set_up: Path) -> None:
    ran = RUNNER.invoke(camera.app, ["show", "cam9"])
    assert (ran.exit_code, "known are cam0" in ran.output) == (2, True)
