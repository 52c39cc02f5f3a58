"""A project that `init` writes is whole, explains itself, and `check` says what is wrong with one that was changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from linewarden.cli import main
from linewarden.project import explained
from linewarden_schemas.base import Message
from linewarden_schemas.recipe import Recipe


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["linewarden", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run(monkeypatch, "init", tmp_path / "line") == 0
    assert "next: linewarden check" in capsys.readouterr().out
    return tmp_path / "line"


def wrong(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `check` finds unwell, by check."""
    code = run(monkeypatch, "check", project, "--offline", "--json")
    rows = [row for row in json.loads(capsys.readouterr().out) if row["well"] != "yes"]
    assert code == (1 if rows else 0)
    return {row["check"]: row["to do"] for row in rows}


def test_a_new_project_is_well_and_every_key_of_it_is_explained(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wrong(project, monkeypatch, capsys) == {}
    keys = json.loads((project / "recipe.json").read_text())
    assert explained.RECIPE.keys() == Recipe.model_fields.keys() - Message.model_fields.keys()
    assert keys.keys() <= explained.RECIPE.keys()
    readme, settings = (project / "README.md").read_text(), (project / "line.env").read_text()
    assert all(f"`{name}`" in readme for name in (*keys, *explained.SETTINGS, *explained.CAMERA))
    assert all(f"# {what}\n{name}=" in settings for name, (_, what) in explained.SETTINGS.items())


def test_a_folder_that_holds_something_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (project / "line.env").read_text()
    assert run(monkeypatch, "init", project) == 78
    assert "holds something already" in capsys.readouterr().err
    assert (project / "line.env").read_text() == before


def test_an_own_bundle_and_folder_of_pictures_are_taken(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, pictures = project / "bundles" / "demo-bundle", tmp_path / "pictures"
    pictures.mkdir()
    assert run(monkeypatch, "init", tmp_path / "own", "--bundle", own, "--pictures", pictures, "--camera", "c9") == 0
    capsys.readouterr()
    assert wrong(tmp_path / "own", monkeypatch, capsys) == {}
    assert f'path = "{pictures}"' in (tmp_path / "own" / "cameras.toml").read_text()


def test_check_names_what_would_not_run_and_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = json.loads((project / "recipe.json").read_text())
    views = [recipe["views"][0] | {"camera_id": "ghost"}]
    (project / "recipe.json").write_text(json.dumps(recipe | {"views": views, "bundle_digest": "0" * 64}))
    found = wrong(project, monkeypatch, capsys)
    assert "cameras that are not there: ghost" in found["recipe my-product@1"]
    assert "copy its folder there" in found["bundle"]
    loose = {"defect": 0.99, "suspicion": 0.99}
    (project / "recipe.json").write_text(json.dumps(recipe | {"thresholds": loose}))
    assert "it is void, so every OK diverts" in wrong(project, monkeypatch, capsys)["its OK may pass on trust"]
    (project / "recipe.json").write_text("{")
    assert "recipe.json: Invalid JSON" in wrong(project, monkeypatch, capsys)["recipe"]
    (project / "cameras.toml").write_text("[[cameras]]\nkind = 'kite'\n")
    assert "cameras" in wrong(project, monkeypatch, capsys)
    (project / "line.env").write_text("LINEWARDEN_COLOUR=red\n")
    assert "unknown settings LINEWARDEN_COLOUR" in wrong(project, monkeypatch, capsys)["settings of ingest"]
