"""The demo's line: cameras and recipe fit together, and a folder gives as many visits as it can."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from linewarden.commands.bundles import digest_of
from linewarden.demo import line
from linewarden.demo.run import FIRST_MINUTES, run, source_of
from linewarden.demo.summary import truth_of
from linewarden_ingest.cameras.sidecar import label_from_name
from linewarden_ingest.cameras.simulation import draw, plan_visit
from linewarden_ingest.settings import IngestOptions, with_cameras
from linewarden_reinspect.station.references import References
from linewarden_reinspect.station.studies import Studies
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.ids import visit_id
from linewarden_vision.bundle import LISTING, read_bundle
from linewarden_vision.inspector import Inspector


def test_the_cameras_are_what_ingest_reads_and_what_the_recipe_expects() -> None:
    source = line.simulated(line.demo_plan(1), 10, 4.0)
    options = with_cameras(IngestOptions.model_validate({"cameras": json.loads(source.cameras_json())}))
    recipe = line.recipe(source, 1)
    assert [(view.view_id, view.camera_id) for view in recipe.views] == [
        (camera.view_id, camera.camera_id) for camera in options.cameras
    ]


def test_pictures_of_a_folder_do_not_come_by_rtsp(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="looks at simulated parts, not at those of --source"):
        run(1, "embedded", 1.0, 1, camera="rtsp", source=tmp_path, bundle=None, out=tmp_path, work=None, port=0)


def test_the_recipe_names_the_bundle_that_is_shipped() -> None:
    assert digest_of(line.BUNDLE) == read_bundle(line.BUNDLE).digest


def test_a_folder_without_a_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no bundle"):
        digest_of(tmp_path)


def test_a_bundle_of_ones_own_takes_the_place_of_the_demos(tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(line.BUNDLE, own)
    with (own / LISTING).open("a") as listing:
        listing.write("\n")
    source = source_of(None, own, 4, 4.0, 1, tmp_path)
    assert line.recipe(source, 1).bundle_digest == digest_of(own) != digest_of(line.BUNDLE)


def test_without_one_the_demos_bundle_judges(tmp_path: Path) -> None:
    assert source_of(None, None, 4, 4.0, 1, tmp_path).bundle == line.BUNDLE


def test_a_bundle_that_is_none_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no bundle"):
        source_of(None, tmp_path, 4, 4.0, 1, tmp_path)


@pytest.mark.parametrize(("asked", "taken"), [(None, 3), (2, 2), (9, 3)])
def test_a_folder_gives_as_many_visits_as_asked_or_as_it_has(tmp_path: Path, asked: int | None, taken: int) -> None:
    pictures = tmp_path / "pictures-of-a-user"
    pictures.mkdir()
    for name in ("a.jpg", "b.PNG", "c.bmp", "notes.txt"):
        (pictures / name).touch()
    work = tmp_path / "work"
    work.mkdir()
    source = line.folder(pictures, asked, 4.0, work)
    assert source.visits == taken
    assert len(list((work / "pictures").iterdir())) == taken


def test_the_truth_of_a_visit_comes_from_its_number() -> None:
    plan = line.demo_plan(1)
    ids = [visit_id(line.LINE, line.STATION, 1_764_000_000_000 + n, n) for n in range(60)]
    assert list(truth_of(plan, ids).values()) == [plan_visit(plan, n).defective for n in range(60)]
    assert any(truth_of(plan, ids).values())


def test_a_part_of_a_folder_is_called_as_its_file(tmp_path: Path) -> None:
    pictures, work = tmp_path / "pictures-of-a-user", tmp_path / "work"
    for made in (pictures, work):
        made.mkdir()
    for name in ("a b.png", "a_b.png", "plain.jpg"):
        (pictures / name).touch()
    source = line.folder(pictures, None, 4.0, work)
    pattern = re.compile(json.loads(source.cameras_json())[0]["pattern"])
    names = sorted(path.name for path in (work / "pictures").iterdir())
    assert [label_from_name(name, pattern).part.part_id for name in names] == ["a_b-2.png", "a_b.png", "plain.jpg"]


def test_beside_the_simulated_line_lie_a_good_part_of_each_view_and_a_study(tmp_path: Path) -> None:
    source = line.simulated(line.demo_plan(1), 10, 4.0)
    recipe = line.recipe(source, 1)
    shown = References(line.references(source, tmp_path)).of(recipe)
    assert [(one.kind, one.view_id) for one in shown] == [("golden", view) for view in sorted(line.VIEWS)]
    sheets, coming = Studies(line.study(source, tmp_path)).progress({line.OPERATOR})
    assert (sheets, coming and (coming.of, coming.rounds, coming.picture.is_file())) == (2, (6, 2, True))


def test_where_somebody_looks_on_the_first_visits_are_whole(tmp_path: Path) -> None:
    plan = source_of(None, None, None, 4.0, 1, tmp_path).plan
    assert plan is not None
    assert [plan_visit(plan, n).missing_view for n in range(FIRST_MINUTES)] == [None] * FIRST_MINUTES
    assert any(plan_visit(plan, n).missing_view is not None for n in range(FIRST_MINUTES, 2 * FIRST_MINUTES))


def test_where_somebody_looks_on_it_opens_with_scratches_that_the_network_calls_good_and_trust_doubts(
    tmp_path: Path,
) -> None:
    plan = source_of(None, None, None, 4.0, 1, tmp_path).plan
    assert plan is not None
    inspector = Inspector.load(line.BUNDLE)
    limits = inspector.card.thresholds
    for number in range(len(line.OPENING)):
        visit = plan_visit(plan, number)
        part, twin = draw(plan, visit), draw(plan, replace(visit, defective=False))
        scores = inspector.score([inspector.prepare(view.picture) for view in part.views])
        assert not any(limits.is_defect(score.margin) for score in scores), "the network calls it good"
        (doubted,) = (at for at, score in enumerate(scores) if limits.is_doubtful(score.suspicion))
        seen, good = part.views[doubted], twin.views[doubted].picture.astype(float)
        noise = 1.4826 * np.median(np.abs(good - cv2.GaussianBlur(good, (0, 0), 1.0)))
        assert seen.defect_class == "scratch"
        contrast = np.abs(seen.picture - good)[seen.mask]
        assert np.percentile(contrast, 75) > 5 * noise, "anybody sees it (A. Rose, 1948)"


def test_parts_that_were_chosen_are_no_sample_of_what_trust_is_worth(tmp_path: Path) -> None:
    plan = source_of(None, None, None, 4.0, 1, tmp_path).plan
    assert plan is not None
    ids = [visit_id(line.LINE, line.STATION, 1_764_000_000_000 + n, n) for n in range(5)]
    assert list(truth_of(plan, ids)) == ids[len(line.OPENING) :]
    assert source_of(None, None, 40, 4.0, 1, tmp_path).plan == line.demo_plan(1), (
        "a run that is counted opens with none"
    )


def test_two_reviewers_are_asked_for_by_the_recipe() -> None:
    source = replace(line.simulated(line.demo_plan(1), 10, 4.0), reviewers=2)
    assert line.recipe(source, 1).review.reviews_required == 2
