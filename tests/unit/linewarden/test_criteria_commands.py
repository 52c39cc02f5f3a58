"""Criteria on the command line: qualified with, verified under a recipe, and limit samples measured by them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import pytest
import torch

from linewarden.cli import main
from linewarden.commands.bundles import facts_of
from linewarden_domain.acceptance import criteria_digest
from linewarden_domain.limit_samples import SampleFigures
from linewarden_schemas.recipe import Criterion, Recipe, ViewSpec
from linewarden_schemas.vocabulary import VerdictRule
from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import read_bundle, write_bundle
from linewarden_vision.card import Threshold
from linewarden_vision.region_classes import cell_features
from tests.support.bundles import random_picture
from tests.unit.train.proving import bundle_of, pictures, write_set
from tests.unit.vision.test_region_classes import head


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("criteria")
    bundle_of(folder)
    write_set(folder / "set", pictures(62, good=30), "calibration")
    return folder


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["linewarden", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def _recipe(path: Path, bundle: str, *criteria: Criterion) -> Recipe:
    asked = Recipe(
        recipe_id="housing",
        version=2,
        product_id="housing",
        bundle_digest=bundle,
        views=(ViewSpec(view_id="top", camera_id="cam1", mm_per_pixel=0.1),),
        verdict_rule=VerdictRule.EITHER,
        criteria=criteria,
        created_ms=1,
        created_by="kim",
    )
    path.write_bytes(asked.to_json())
    return asked


def test_a_bundle_is_qualified_with_a_recipes_criteria_and_holds_under_no_others(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = Criterion(accept=True, max_length_mm=0.5)
    asked = _recipe(place / "recipe.json", "0" * 64, small)
    _recipe(place / "other.json", "0" * 64, small.model_copy(update={"max_length_mm": 0.6}))
    _recipe(place / "plain.json", "0" * 64)
    rate = ("--split", "", "--max-pass-rate", "0.05", "--device", "cpu", "--recipe", place / "recipe.json")
    bundle = place / "known"
    assert _run(monkeypatch, "qualify", "--data", place / "set", "--bundle", bundle, "--out", place / "q", *rate) == 0
    digest = criteria_digest(asked)
    assert f"with the criteria {digest[:12] if digest else None} of housing@2" in capsys.readouterr().out
    verify = ("bundle", "verify", place / "q", "--device", "cpu", "--json")
    for recipe, code in (("recipe.json", 0), ("other.json", 1), ("plain.json", 1)):
        assert _run(monkeypatch, *verify, "--recipe", place / recipe) == code, recipe
        [row] = [one for one in json.loads(capsys.readouterr().out) if one["check"] == "qualification"]
        assert row["well"] == ("yes" if code == 0 else "NO")
    assert _run(monkeypatch, "bundle", "show", place / "q") == 0
    assert "with the criteria" in capsys.readouterr().out


def test_limit_samples_are_measured_as_the_line_would_and_told_beside_the_picture(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = read_bundle(place / "known")
    low = Threshold(value=-1e3, provenance=plain.card.thresholds.mask.provenance)  # everything is marked
    limits = plain.card.thresholds.model_copy(update={"mask": low})
    store = place / "store"
    digest = write_bundle(
        store / "b", plain.card.model_copy(update={"thresholds": limits}), plain.weights, plain.golden
    )
    recipe = _recipe(place / "limits.json", digest, Criterion(accept=True, max_length_mm=0.5))
    folder = place / "references" / "housing" / "limits" / "scratch"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "acceptable.png"), random_picture(1))
    (folder / "unacceptable.png").write_bytes(b"no picture")
    (folder / "unacceptable.figures.json").write_text("old")
    where = ("--references", place / "references", "--bundles", store, "--device", "cpu", "--json")
    assert _run(monkeypatch, "recipe", "measure", place / "limits.json", *where) == 1
    good, bad = json.loads(capsys.readouterr().out)
    assert ", 40.96 ± " in good["defects"]  # 64 x 64 pixels of 0.1 mm
    assert "not a picture" in bad["refused"]
    figures = SampleFigures.model_validate_json((folder / "acceptable.figures.json").read_bytes())
    assert figures.is_of(recipe, figures.sha256)
    assert (figures.count, [one.is_within for one in figures.defects]) == (1, [False])
    assert figures.defects[0].length_mm == pytest.approx(9.0, abs=figures.defects[0].length_error_mm)
    assert not (folder / "unacceptable.figures.json").exists()


def test_what_a_bundle_tells_of_classes_is_shown_and_is_what_a_recipe_may_name(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = read_bundle(place / "known")
    network = network_of(plain)
    features = cell_features(network(torch.zeros(1, 1, 64, 64))).shape[1]
    folder = place / "classes" / "b"
    digest = write_bundle(folder, plain.card, plain.weights, plain.golden, {**plain.extra, **head(features).to_files()})
    assert facts_of(folder.parent, digest).classes == ("pit", "scratch")
    assert facts_of(place, read_bundle(place / "known").digest).classes == ()
    assert _run(monkeypatch, "bundle", "show", folder) == 0
    assert "pit, scratch" in capsys.readouterr().out
    found = ("--split", "", "--device", "cpu", "--no-rivals", "--out", place / "told", "--json")
    assert _run(monkeypatch, "evaluate", "--data", place / "set", "--bundle", folder, *found) == 0
    table = json.loads(capsys.readouterr().out)["classes"]
    assert {row["defect_class"] for row in table["rows"]} >= {"crack", "spot"}
    assert sum(row["n_groups"] for row in table["rows"] if row["defect_class"] != "good") == 55  # 7 have no mask
    assert "What regions of each true class were told to be" in (place / "told" / "evaluation.html").read_text()
