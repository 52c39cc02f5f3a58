"""`linewarden recipe locate`: a template into a recipe, tried and drawn; one that could locate nothing is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from linewarden.commands import recipe as command
from linewarden_domain.judgeable import refusals
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.recipe import Recipe, Region, ViewSpec
from tests.support.frames import recipe
from tests.support.placed_parts import placed_part

BOX = ("--box", "80,80,160,160", "--shift", "20", "--turn", "5")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A recipe and a good picture."""
    view = ViewSpec(view_id="top", camera_id="cam1", region=Region(x=80, y=80, width=160, height=160))
    (tmp_path / "recipe.json").write_bytes(recipe("0" * 64, views=(view,)).to_json())
    cv2.imwrite(str(tmp_path / "good.png"), placed_part(0))
    return tmp_path / "recipe.json", tmp_path / "good.png"


def call(*words: object) -> Result:
    return CliRunner().invoke(command.app, ["locate", *map(str, words)])


def test_the_recipe_comes_out_with_a_template_that_its_publisher_takes(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), placed_part(0, (2.0 * number, 1.0), seed=number))
    preview = tmp_path / "preview.png"
    result = call(*files, *BOX, "--good", folder, "--preview", preview)
    assert result.exit_code == 0, result.output
    made = Recipe.model_validate_json(result.stdout)
    assert refusals(made) == ()
    assert made.views[0].locate is not None
    assert "24 of 24 trials held" in result.stderr
    assert "2.png: +4.0" in result.stderr
    shown = cv2.imread(str(preview))
    assert shown is not None
    assert shown.shape == (320, 320, 3)


def test_a_good_picture_without_its_part_is_named_and_the_command_fails(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    cv2.imwrite(str(folder / "off.png"), placed_part(0, (30.0, 0.0)))
    result = call(*files, *BOX, "--good", folder)
    assert result.exit_code == 1
    assert "off.png: the part" in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--box", "80,80,160", "--shift", "9"), "give X,Y,WIDTH,HEIGHT"),
        (("--box", "300,80,160,160", "--shift", "9"), "does not lie inside the picture"),
        (("--box", "0,0,40,8", "--shift", "9", "--turn", "5"), "too small or too long"),
        (("--box", "0,0,40,40", "--shift", "9", "--turn", "5"), "1 of 24 trials held"),
        ((*BOX, "--view", "side"), "the recipe has top"),
        ((*BOX, "--score", "0.1"), "give --score"),
        ((*BOX, "--by", "colour"), "'colour' is not a valid LocateBy"),
    ],
)
def test_what_cannot_be_is_told_in_words(files: tuple[Path, Path], words: tuple[str, ...], told: str) -> None:
    result = call(*files, *words)
    assert result.exit_code != 0
    assert told in f"{result.output} {result.exception}"


def test_a_template_that_tells_nothing_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat: Any = cv2.imencode(".png", np.full((40, 40), 90, np.uint8))[1].tobytes()
    where = {"template_png": flat, "x": 0, "y": 0, "max_shift_px": 5.0, "least_score": 0.6}
    view = ViewSpec.model_validate({"view_id": "top", "camera_id": "cam1", "locate": where})
    file = tmp_path / "recipe.json"
    file.write_bytes(recipe("0" * 64, views=(view,)).to_json())
    monkeypatch.setattr(command, "connect", lambda: pytest.fail("it was about to be published"))
    result = CliRunner().invoke(command.app, ["add", str(file)])
    assert isinstance(result.exception, ConfigurationError)
    assert "locate of view top" in str(result.exception)
    assert json.loads(file.read_bytes())["views"][0]["locate"]["x"] == 0
