"""What a part is compared with: golden pictures, limit samples, and the parts beside it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linewarden.demo.line import BUNDLE
from linewarden_domain.acceptance import measuring_digest
from linewarden_domain.limit_samples import SampleFigures
from linewarden_reinspect.station import present
from linewarden_reinspect.station.recipes import Recipes
from linewarden_reinspect.station.references import References
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Criterion, Recipe, ViewSpec
from linewarden_schemas.vocabulary import Verdict
from linewarden_vision.golden import Golden, GoldenAnswer
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT
from tests.unit.reinspect.test_web import Browser

PNG = cv2.imencode(".png", np.full((8, 8), 90, np.uint8))[1].tobytes()


def recipe(bundle: str = "a" * 64, recipe_id: str = "bracket") -> Recipe:
    return Recipe(
        recipe_id=recipe_id,
        version=3,
        product_id="bracket",
        bundle_digest=bundle,
        views=(ViewSpec(view_id="top", camera_id="cam1"),),
        criteria=(Criterion(defect_class="dent"),),
        created_ms=AT,
        created_by="eng-1",
    )


def write(path: Path, content: bytes = PNG) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    clock = ManualClock(AT)
    write(tmp_path / "bracket" / "golden" / "top.png")
    write(tmp_path / "bracket" / "limits" / "scratch" / "acceptable.png")
    write(
        tmp_path / "bracket" / "limits" / "scratch" / "acceptable.json", b'{"approved_by":"q","expires":"2001-01-01"}'
    )
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        one.station = replace(one.station, recipe=lambda _: recipe(), references=References(tmp_path))
        yield one


def asked(browser: Browser, visit: dict[str, Any], what: str) -> Any:
    glue = "&" if "?" in what else "?"
    return browser.get(f"/api/slots/{visit['slot_id']}/{what}{glue}token={visit['token']}")


def test_golden_pictures_and_limit_samples_are_named_with_their_approval(made: Rig) -> None:
    made.open_slot(1, size=96)
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    answer = asked(browser, visit, "references").json()
    golden, limit = answer["references"]
    assert (golden["kind"], golden["view_id"]) == ("golden", "top")
    assert (limit["defect_class"], limit["side"], limit["approved_by"], limit["expired"]) == (
        "scratch",
        "acceptable",
        "q",
        True,
    )
    assert answer["classes"] == ["dent", "scratch"]
    assert asked(browser, visit, f"reference?name={limit['name']}").content == PNG
    assert asked(browser, visit, "reference?name=other").status_code == 404


def test_a_limit_sample_has_the_figures_that_inspections_would_give(made: Rig, tmp_path: Path) -> None:
    beside = tmp_path / "bracket" / "limits" / "scratch" / "acceptable.figures.json"
    size: dict[str, Any] = {"length_mm": 0.8, "length_error_mm": 0.1, "area_mm2": 0.3, "area_error_mm2": 0.05}
    place: dict[str, Any] = {"x": 1, "y": 1, "width": 4, "height": 4}
    figures = SampleFigures(
        sha256=hashlib.sha256(PNG).hexdigest(),
        view_id="top",
        bundle_digest="a" * 64,
        measuring_digest=measuring_digest(recipe()),
        verdict=Verdict.OK,
        accepted=True,
        defects=(
            MeasuredDefect(**size, **place, zones=("rim",), defect_class="scratch", is_within=True),
            MeasuredDefect(**size, **place, is_ignored=True, is_within=True),
        ),
        count=1,
        measured_ms=AT,
    )
    write(beside, figures.model_dump_json().encode())
    made.open_slot(1, size=96)
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    told = asked(browser, visit, "references").json()["references"][1]["figures"]
    shown = {**size, "defect_class": "scratch", "zones": ["rim"], "is_within": True}
    assert told == {"count": 1, "stale": False, "defects": [shown]}
    for change in ({"bundle_digest": "b" * 64}, {"measuring_digest": "b" * 64}, {"sha256": "b" * 64}):
        write(beside, figures.model_copy(update=change).model_dump_json().encode())
        assert sample_of(tmp_path)["figures"]["stale"], change
    write(beside, b"{}")
    assert sample_of(tmp_path)["figures"] is None


def sample_of(root: Path) -> dict[str, Any]:
    _, limit = References(root).of(recipe())
    return present.reference(limit, dt.date(2000, 1, 1), recipe())


def test_neighbours_are_the_next_visits_of_the_same_view_and_come_after_the_first_answer(made: Rig) -> None:
    for number in (1, 2, 3, 5, 9):
        made.open_slot(number, size=96, due_ms=AT + abs(number - 3))
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    assert visit["part_id"] == "SN-000003"
    assert asked(browser, visit, "beside?view=top").json()["frames"] == []
    browser.first(visit, "NG", [])
    frames = asked(browser, visit, "beside?view=top").json()["frames"]
    assert [int(frame.split(".")[3]) for frame in frames] == [1, 2, 5, 9]
    assert {frame.split(".")[4] for frame in frames} == {"top"}
    path = f"beside/picture?view=top&frame_id={frames[0]}"
    assert asked(browser, visit, path).headers["content-type"] == "image/jpeg"
    foreign = asked(browser, visit, "beside/picture?view=top&frame_id=line1.st1.1.other.top.1-1")
    assert foreign.status_code == 404


def test_the_good_pictures_of_the_bundle_stand_in_for_golden_ones(tmp_path: Path) -> None:
    folder = tmp_path / "some-bundle"
    answers = [
        GoldenAnswer(margin=-2.0, suspicion=0.1, defect=False, doubtful=False),
        GoldenAnswer(margin=3.0, suspicion=0.9, defect=True, doubtful=True),
    ]
    files = Golden([np.full((8, 8), level, np.uint8) for level in (90, 10)], answers).to_files()
    for name, content in (files | {"card.json": b'{"class_names": ["pore"]}', "bundle.sha256": b"a list"}).items():
        write(folder / name, content)
    known = recipe(hashlib.sha256(b"a list").hexdigest())
    references = References(None, tmp_path)
    assert [(one.kind, one.picture) for one in references.of(known)] == [("golden", PNG)]
    assert references.classes(known) == ("dent", "pore")


def test_without_folders_there_is_nothing_to_compare_with() -> None:
    assert References().of(recipe()) == ()


@pytest.mark.parametrize("name", ["..", "."])
def test_a_recipes_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    root = tmp_path / "references"
    root.mkdir()
    write(tmp_path / "golden" / "top.png")
    write(root / "golden" / "top.png")
    assert References(root).of(recipe(recipe_id=name)) == ()


def test_a_recipe_that_cannot_be_read_is_asked_for_again_later() -> None:
    clock, asks = ManualClock(AT), []

    def get(ref: RecipeRef) -> Recipe | None:
        asks.append(ref)
        if len(asks) == 1:
            raise BrokerUnavailable("ordered by a test")
        return recipe()

    recipes, ref = Recipes(get, clock), recipe().ref()
    assert (recipes(ref), recipes(ref)) == (None, None)
    clock.advance(6)
    assert (recipes(ref), recipes(ref)) == (recipe(), recipe())
    assert len(asks) == 2


def test_the_stage_of_a_bundle_is_what_its_promotions_say() -> None:
    references = References(None, BUNDLE.parent)
    standing = references.standing(hashlib.sha256((BUNDLE / "bundle.sha256").read_bytes()).hexdigest())
    assert standing is not None
    assert (standing.name, standing.stage) == (BUNDLE.name, "released")
    assert references.standing("0" * 64) is None
