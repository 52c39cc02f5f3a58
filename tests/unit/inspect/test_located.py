"""A recipe that has the part located: judged where it lies, not decidable where it does not, and the same on replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewarden_inspect.placement_watch import PlacementWatch
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.inspection import Inspection, Location
from linewarden_schemas.recipe import Recipe, Region, ViewSpec, Zone
from linewarden_schemas.vocabulary import LocateBy, Undecidable, VerdictRule
from linewarden_vision.inspecting.templates import template_of
from linewarden_vision.pictures.reading import read_picture
from tests.support.bundles import digest_in
from tests.support.frames import frame_record, picture_bytes, recipe
from tests.support.placed_parts import SIDE, placed_part
from tests.unit.inspect.harness import FAR_MS, NAMESPACE, answer, dead_letters, inspections, memory_line
from tests.unit.replay.test_replay import again, replayed

PART = Region(x=80, y=80, width=160, height=160)
LOCATE = template_of(placed_part(0), PART, LocateBy.GREY, shift_px=20.0, turn_deg=5.0, score=0.6)
VIEW = ViewSpec(view_id="top", camera_id="cam1", region=PART, locate=LOCATE)


def frame(number: int, shift: tuple[float, float] = (0.0, 0.0), turn: float = 0.0, **more: Any) -> OutRecord:
    return frame_record(NAMESPACE, picture_bytes(placed_part(0, shift, turn, **more)), number, decide_by_ms=FAR_MS)


def line(store: Path, *frames: OutRecord, **changes: Any) -> MemoryBroker:
    broker = memory_line(recipe(digest_in(store, "a"), **({"views": (VIEW,)} | changes)))
    answer(broker, store, *frames)
    return broker


def by_number(broker: MemoryBroker) -> list[Inspection]:
    return sorted(inspections(broker), key=lambda one: one.captured_ms)


def test_the_region_goes_with_the_part_and_maps_lie_in_the_whole_picture(bundle_store: Path) -> None:
    found = by_number(line(bundle_store, frame(0), frame(1, (9.0, -6.0)), frame(2, (-4.0, 7.0), 3.0)))
    assert [one.undecidable for one in found] == [None, None, None]
    places = [one.location for one in found if one.location is not None]
    assert [(round(one.shift_x_px), round(one.shift_y_px), round(one.turn_deg)) for one in places] == [
        (0, 0, 0), (9, -6, 0), (-4, 7, 3)
    ]  # fmt: skip
    still, shifted = found[0], found[1]
    assert still.p_defect == pytest.approx(shifted.p_defect, abs=0.02)  # the same pixels but for noise
    assert still.maps is not None
    assert shifted.maps is not None
    one, other = (read_picture(maps.mask_png) for maps in (still.maps, shifted.maps))
    assert one.shape == other.shape == (SIDE, SIDE)
    assert np.mean(np.roll(one, (-6, 9), (0, 1)) != other) < 0.02


def test_a_part_that_is_not_where_it_may_be_is_not_decidable_and_no_dead_letter(bundle_store: Path) -> None:
    empty = picture_bytes(np.random.default_rng(1).normal(90, 30, (SIDE, SIDE)).astype(np.uint8))
    frames = (frame(0), frame(1, (22.0, 0.0)), frame_record(NAMESPACE, empty, 2, decide_by_ms=FAR_MS))
    broker = line(bundle_store, *frames)
    found = by_number(broker)
    reasons = [None, Undecidable.PART_MISPLACED, Undecidable.PART_NOT_FOUND]
    assert [one.undecidable for one in found] == reasons
    assert "22.0 pixels" in found[1].reasons[0]
    assert [one.reasons_coded[0].code for one in found[1:]] == ["part_misplaced", "part_not_found"]
    assert dead_letters(broker) == []


def test_a_region_that_leaves_the_picture_with_its_part_is_not_decidable(bundle_store: Path) -> None:
    wide = VIEW.model_copy(update={"region": Region(x=0, y=0, width=SIDE, height=SIDE)})
    [moved] = by_number(line(bundle_store, frame(0, (9.0, 0.0)), views=(wide,)))
    assert moved.undecidable is Undecidable.PART_MISPLACED
    assert "does not lie inside" in moved.reasons[0]


def test_criteria_are_judged_where_the_part_lies(bundle_store: Path) -> None:
    view = VIEW.model_copy(update={"mm_per_pixel": 0.1})
    whole = Zone(zone_id="whole", polygon=((0.0, 0.0), (16.0, 0.0), (16.0, 16.0), (0.0, 16.0)))
    asked: dict[str, Any] = {"views": (view,), "zones": (whole,), "verdict_rule": VerdictRule.EITHER}
    found = by_number(line(bundle_store, frame(0, (12.0, 5.0)), **asked))[0]
    assert found.defects
    assert all(one.zones == ("whole",) for one in found.defects)
    assert all(one.x >= 92 and one.y >= 85 for one in found.defects)


def test_a_replay_finds_every_part_where_it_was_found(bundle_store: Path) -> None:
    broker = line(bundle_store, frame(0), frame(1, (9.3, -6.1), 2.0, noise=8), frame(2, (30.0, 0.0)))
    assert not again(broker, bundle_store).differences
    live, then = ({one.frame_id: one.location for one in found} for found in (inspections(broker), replayed(broker)))
    assert live == then


def told(undecidable: Undecidable | None, camera: str = "cam1", *, is_located: bool = False) -> Inspection:
    here = Location(shift_x_px=3.0, shift_y_px=4.0, turn_deg=0.0, score=0.9, error_px=0.1, error_deg=0.1)
    fields: dict[str, Any] = {"camera_id": camera, "undecidable": undecidable}
    return Inspection.model_construct(**fields, location=here if is_located else None)


def test_a_camera_moved_when_many_in_a_row_are_not_where_they_may_be_and_one_bad_part_is_none() -> None:
    watch = PlacementWatch(3)
    bad, good = told(Undecidable.PART_NOT_FOUND), told(None, is_located=True)
    for one in (bad, bad, good, bad, told(Undecidable.LATE), bad):
        watch.note(one)
    assert watch.ailments() == {}
    watch.note(told(Undecidable.PART_MISPLACED))
    watch.note(told(Undecidable.PART_MISPLACED, "cam2"))
    [(camera, words)] = watch.ailments().items()
    assert camera == "camera cam1"
    assert words.startswith("camera_moved: of the last 3 pictures")
    watch.note(good)
    assert watch.ailments() == {}


def test_a_recipe_of_an_older_line_is_read_without_a_template() -> None:
    old = recipe("0" * 64)
    assert Recipe.from_json(old.to_json()).views[0].locate is None
