"""Drawn parts that were moved and turned by known amounts are found there, and what is no part, or two, is not."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from linewarden_schemas.recipe import Locate, Recipe, Region, ViewSpec, Zone
from linewarden_schemas.vocabulary import LocateBy, Undecidable, VerdictRule
from linewarden_vision.inspecting.locating import Placement, located
from linewarden_vision.inspecting.measuring import measured
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.templates import drawn, moved, template_of, tried, unusable
from tests.support.placed_parts import PART, SIDE, placed_part

BOX = Region(x=80, y=80, width=160, height=160)
MIDDLE = (SIDE - 1) / 2


def taught(kind: int = 0, box: Region = BOX, by: str = "grey", picture: Any = None, **more: Any) -> Locate:
    asked = {"shift_px": 20.0, "turn_deg": 5.0, "score": 0.6} | more
    shown = placed_part(kind) if picture is None else picture
    return template_of(shown, box, LocateBy(by), **asked)


def refused(picture: NDArray[Any], locate: Locate) -> PictureRefused:
    with pytest.raises(PictureRefused) as caught:
        located(picture, locate)
    return caught.value


@pytest.mark.parametrize(("kind", "by"), [(0, "grey"), (1, "grey"), (2, "grey"), (0, "edges"), (2, "edges")])
@pytest.mark.parametrize(
    ("shift", "turn"), [((0.0, 0.0), 0.0), ((12.3, -7.6), 0.0), ((-0.5, 0.25), 4.4), ((11.0, 13.0), -3.1)]
)
def test_a_part_is_found_where_it_was_drawn(kind: int, by: str, shift: tuple[float, float], turn: float) -> None:
    found = located(placed_part(kind, shift, turn, noise=4, gain=0.8, seed=3), taught(kind, by=by)).location
    assert math.hypot(found.shift_x_px - shift[0], found.shift_y_px - shift[1]) <= found.error_px < 0.3
    assert abs(found.turn_deg - turn) <= found.error_deg < 0.3
    assert found.score > 0.85


def test_a_large_template_is_reduced_and_finds_as_well() -> None:
    whole = cv2.resize(placed_part(0), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    locate = taught(box=Region(x=240, y=240, width=480, height=480), picture=whole, shift_px=60.0)
    assert locate.reduction == 3
    shift = np.array([31.5, -22.25])
    centre = located(whole, locate).centre
    found = located(moved(whole, centre, shift, 2.5), locate).location
    assert (found.shift_x_px, found.shift_y_px) == pytest.approx(tuple(shift), abs=found.error_px)
    assert found.turn_deg == pytest.approx(2.5, abs=found.error_deg)


def test_a_colour_picture_of_sixteen_bits_is_found_as_well() -> None:
    grey = placed_part(0, (5.0, 3.0)).astype(np.uint16) * 257
    found = located(np.repeat(grey[..., None], 3, axis=2), taught()).location
    assert (found.shift_x_px, found.shift_y_px) == pytest.approx((5.0, 3.0), abs=0.1)


def test_the_same_picture_gives_the_same_place_to_the_last_bit() -> None:
    picture, locate = placed_part(2, (3.2, 1.1), 1.5, noise=8), taught(2)
    assert located(picture, locate).location == located(picture.copy(), locate).location


def test_an_empty_place_is_no_part() -> None:
    empty = np.random.default_rng(1).normal(60, 3, (SIDE, SIDE)).astype(np.uint8)
    for picture in (empty, np.full((SIDE, SIDE), 60, np.uint8)):
        assert refused(picture, taught()).reason is Undecidable.PART_NOT_FOUND


def test_another_part_is_not_this_one() -> None:
    assert refused(placed_part(2), taught(0, score=0.8)).reason is Undecidable.PART_NOT_FOUND


@pytest.mark.parametrize(("shift", "turn"), [((22.0, 0.0), 0.0), ((0.0, -23.0), 0.0), ((0.0, 0.0), 5.7)])
def test_a_part_outside_the_allowed_range_is_told_with_its_figures(shift: tuple[float, float], turn: float) -> None:
    why = refused(placed_part(0, shift, turn), taught())
    assert why.reason is Undecidable.PART_MISPLACED
    assert f"{math.hypot(*shift):.1f} pixels" in why.detail
    assert f"{turn:.1f}°" in why.detail
    assert not why.is_record_fault


def test_two_places_that_look_alike_are_none() -> None:
    picture = np.full((400, 700), 60, np.uint8)
    part = placed_part(0)[80:240, 80:240]
    picture[100:260, 100:260] = part
    locate = taught(box=Region(x=100, y=100, width=160, height=160), picture=picture, shift_px=300.0)
    assert located(picture, locate).location.score > 0.99
    picture[110:270, 350:510] = part
    why = refused(picture, locate)
    assert why.reason is Undecidable.PART_NOT_FOUND
    assert "two places" in why.detail


def test_a_part_that_is_cut_by_the_pictures_edge_is_not_found() -> None:
    picture = placed_part(0)
    assert refused(picture[:, :200], taught()).reason is Undecidable.PART_NOT_FOUND
    assert refused(picture[:60, :60], taught()).reason is Undecidable.PART_NOT_FOUND


def test_a_worse_match_is_a_less_certain_place() -> None:
    clear = located(placed_part(0, noise=1), taught()).location
    grainy = located(placed_part(0, noise=40), taught(score=0.3)).location
    assert grainy.score < clear.score
    assert grainy.error_px > clear.error_px


def test_a_template_that_tells_no_place_is_refused_with_what_to_choose() -> None:
    stripes = np.tile((np.arange(SIDE) // 10 % 2 * 100 + 60).astype(np.uint8), (SIDE, 1))
    for picture in (stripes, np.full((SIDE, SIDE), 80, np.uint8)):
        with pytest.raises(ValueError, match="edges in several directions"):
            taught(picture=picture)
    with pytest.raises(ValueError, match="too small or too long"):
        taught(box=Region(x=0, y=150, width=320, height=20))
    broken = taught().model_copy(update={"template_png": b"no picture"})
    assert unusable(broken) == "the template is no picture that can be read"
    assert refused(placed_part(0), broken).reason is Undecidable.PART_NOT_FOUND
    with pytest.raises(ValueError, match="does not lie inside"):
        taught(box=Region(x=200, y=0, width=160, height=160))


def test_a_thread_that_looks_alike_a_pitch_further_is_refused_on_its_own_picture() -> None:
    thread = np.full((320, 320), 60, np.uint8)
    for x in range(20, 300, 20):
        cv2.line(thread, (x, 100), (x + 12, 220), 200, 6)
    box = Region(x=100, y=90, width=120, height=140)
    with pytest.raises(ValueError, match="two places look like the part"):
        tried(taught(box=box, picture=thread, turn_deg=0.0, shift_px=40.0), thread)


def test_a_ring_whose_edges_tell_no_turn_is_refused_and_found_where_it_may_not_turn() -> None:
    with pytest.raises(ValueError, match="edges in several directions"):
        taught(1, by="edges")
    found = located(placed_part(1, (3.0, -4.0), noise=4), taught(1, by="edges", turn_deg=0.0)).location
    assert (found.shift_x_px, found.shift_y_px) == pytest.approx((3.0, -4.0), abs=found.error_px)


def test_a_template_is_tried_by_known_moves_of_its_own_picture() -> None:
    trial = tried(taught(), placed_part(0))
    assert (trial.count, trial.lost) == (24, ())
    assert trial.error_px < 0.2
    assert trial.error_deg < 0.1


def view(**more: Any) -> ViewSpec:
    return ViewSpec(view_id="v", camera_id="c", mm_per_pixel=0.1, **more)


def recipe(one: ViewSpec, *zones: Zone) -> Recipe:
    fixed: dict[str, Any] = {"recipe_id": "r", "version": 1, "product_id": "p", "created_ms": 1, "created_by": "kim"}
    rule = VerdictRule.EITHER
    return Recipe(bundle_digest="0" * 64, views=(one,), verdict_rule=rule, zones=zones, **fixed)


LEFT = Zone(zone_id="left", polygon=((0.0, 0.0), (8.0, 0.0), (8.0, 16.0), (0.0, 16.0)))
RIM = Zone(zone_id="rim", polygon=((8.0, 0.0), (16.0, 0.0), (16.0, 4.0), (8.0, 4.0)), ignore=True)


def spot_at(placement: Placement, x: float, y: float, here: Region, radius: int = 4) -> NDArray[np.bool_]:
    """The mask of a region with a spot at a point (x, y) of the taught picture."""
    mask = np.zeros((here.height, here.width), np.uint8)
    column, row = placement.placed(np.array([[x, y]]))[0] - (here.x, here.y)
    cv2.circle(mask, (round(column), round(row)), radius, 1, -1)
    return mask.astype(bool)


@pytest.mark.parametrize("seed", range(6))
def test_zones_go_with_the_part(seed: int) -> None:
    chance = np.random.default_rng(seed)
    shift, turn = (float(chance.uniform(-14, 14)), float(chance.uniform(-14, 14))), float(chance.uniform(-4.5, 4.5))
    one = view(region=BOX, locate=taught())
    placement = located(placed_part(0, shift, turn), taught())
    here = placement.region(BOX)
    expected = ((100, 200, ("left",), False, False), (200, 180, (), True, False), (200, 95, (), False, True))
    for x, y, zones, is_outside, is_ignored in expected:
        mask = spot_at(placement, x, y, here)
        [defect] = measured(mask, recipe(one, LEFT, RIM), one, here, 0, None, placement) or ()
        assert (defect.zones, defect.is_outside, defect.is_ignored) == (zones, is_outside, is_ignored)
        place = placement.placed(np.array([[x, y]]))[0]
        assert (defect.x + defect.width / 2, defect.y + defect.height / 2) == pytest.approx(tuple(place), abs=1.5)


def test_what_may_lie_in_a_zone_by_the_uncertainty_lies_in_it_and_nothing_is_ignored_by_it() -> None:
    one = view(region=BOX, locate=taught())
    sure = located(placed_part(0), taught())
    rough = Placement(sure.matrix, sure.centre, sure.location.model_copy(update={"error_px": 4.0}))
    right_of_left = spot_at(sure, 80 + 80 + 7, 200, BOX)  # three pixels beside the zone's edge
    near_rims_edge = spot_at(sure, 200, 80 + 40 - 6, BOX)
    asked = recipe(one, LEFT, RIM)
    for placement, zones, is_ignored in ((sure, (), True), (rough, ("left",), False)):
        [beside] = measured(right_of_left, asked, one, BOX, 0, None, placement) or ()
        [inside] = measured(near_rims_edge, asked, one, BOX, 0, None, placement) or ()
        assert (beside.zones, inside.is_ignored) == (zones, is_ignored)
        assert beside.is_outside


def test_a_turned_region_is_judged_whole() -> None:
    placement = located(placed_part(0, (6.0, -4.0), 4.0), taught())
    here = placement.region(BOX)
    corners = placement.placed(np.array([[80.0, 80.0], [239.0, 80.0], [80.0, 239.0], [239.0, 239.0]]))
    assert (corners >= (here.x - 0.5, here.y - 0.5)).all()
    assert (corners <= (here.x + here.width - 0.5, here.y + here.height - 0.5)).all()
    assert here.width < PART * 1.1
    unmoved = located(placed_part(0), taught())
    exact = Placement(np.eye(2, 3), unmoved.centre, unmoved.location)
    assert exact.region(BOX) == BOX


def test_the_preview_shows_template_region_and_zones() -> None:
    one = view(region=BOX, locate=taught())
    picture = placed_part(0, (6.0, -4.0), 4.0)
    shown = drawn(picture, recipe(one, LEFT), one, located(picture, taught()))
    assert shown.shape == (SIDE, SIDE, 3)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > len(np.unique(picture))
