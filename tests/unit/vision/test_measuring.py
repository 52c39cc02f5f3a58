"""Drawn defects of known size: length and area lie within their stated uncertainty, and zones where they were drawn."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Recipe, Region, ViewSpec, Zone
from linewarden_schemas.vocabulary import VerdictRule
from linewarden_vision.inspecting.measuring import measured

MM = 0.05
LEFT = Zone(zone_id="left", polygon=((0.0, 0.0), (10.0, 0.0), (10.0, 20.0), (0.0, 20.0)))


def recipe(*zones: Zone, gap: float = 0.0, **view: Any) -> Recipe:
    return Recipe(
        recipe_id="r",
        version=1,
        product_id="p",
        bundle_digest="0" * 64,
        views=(ViewSpec.model_validate({"view_id": "v", "camera_id": "c", "mm_per_pixel": MM} | view),),
        verdict_rule=VerdictRule.EITHER,
        zones=zones,
        defect_gap_mm=gap,
        created_ms=1,
        created_by="kim",
    )


def canvas() -> NDArray[np.uint8]:
    return np.zeros((400, 400), np.uint8)


def found(mask: NDArray[np.uint8], asked: Recipe | None = None, region: Region | None = None) -> list[MeasuredDefect]:
    asked = asked or recipe()
    defects = measured(mask.astype(bool), asked, asked.views[0], region, 0)
    assert defects is not None
    return list(defects)


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("angle", [0, 10, 22.5, 30, 45, 67, 90])
def test_a_straight_scratch_is_as_long_as_it_was_drawn(angle: float, width: int) -> None:
    mask, length = canvas(), 150.0
    end = (200 + length * math.cos(math.radians(angle)), 100 + length * math.sin(math.radians(angle)))
    cv2.line(mask, (200, 100), (round(end[0]), round(end[1])), 1, width)
    (one,) = found(mask)
    drawn = math.hypot(round(end[0]) - 200, round(end[1]) - 100)
    # A drawn line is longer than its ends are apart by up to its width.
    assert drawn * MM - one.length_error_mm <= one.length_mm <= (drawn + width + 1) * MM + one.length_error_mm


@pytest.mark.parametrize("radius", [40, 80, 120])
def test_a_bent_scratch_is_measured_along_itself(radius: int) -> None:
    mask = canvas()
    cv2.ellipse(mask, (200, 200), (radius, radius), 0, 0, 180, 1, 3)
    (one,) = found(mask)
    assert one.length_mm == pytest.approx(math.pi * radius * MM, abs=one.length_error_mm + 3 * MM)
    assert one.length_mm > 2 * radius * MM * 1.3  # far longer than it reaches


@pytest.mark.parametrize("radius", [5, 12, 60])
def test_a_spot_has_its_diameter_and_its_area(radius: int) -> None:
    mask = canvas()
    cv2.circle(mask, (150, 150), radius, 1, -1)
    (one,) = found(mask)
    assert one.length_mm == pytest.approx(2 * radius * MM, abs=one.length_error_mm + MM)
    assert one.area_mm2 == pytest.approx(math.pi * (radius * MM) ** 2, abs=one.area_error_mm2)
    assert (one.x, one.y, one.width, one.height) == (150 - radius, 150 - radius, 2 * radius + 1, 2 * radius + 1)


@pytest.mark.parametrize("turn", [0, 20, 45, 70])
@pytest.mark.parametrize("axes", [(60, 60), (60, 40), (25, 15), (8, 5)])
def test_the_spurs_of_a_spots_skeleton_make_it_no_longer(axes: tuple[int, int], turn: int) -> None:
    mask = canvas()
    cv2.ellipse(mask, (200, 200), axes, turn, 0, 360, 1, -1)
    (one,) = found(mask)
    assert one.length_mm == pytest.approx((2 * axes[0] + 1) * MM, abs=one.length_error_mm + MM)


def test_every_branch_of_a_crack_counts_by_what_it_reaches_beyond_the_trunk() -> None:
    mask = canvas()
    cv2.line(mask, (100, 200), (300, 200), 1, 3)
    (trunk,) = found(mask)
    cv2.line(mask, (200, 200), (200, 120), 1, 3)
    cv2.line(mask, (250, 200), (250, 260), 1, 3)
    (forked,) = found(mask)
    assert forked.length_mm == pytest.approx(trunk.length_mm + (80 + 60) * MM, abs=forked.length_error_mm)


def test_of_a_net_with_more_branches_than_are_told_apart_every_step_counts() -> None:
    mask = canvas()
    for at in range(20, 381, 12):
        cv2.line(mask, (20, at), (380, at), 1, 1)
    cv2.line(mask, (20, 20), (20, 380), 1, 1)
    (one,) = found(mask)
    assert one.length_mm == pytest.approx((31 * 360 + 360) * MM, rel=0.02)


def test_a_closed_ring_is_as_long_as_it_is_round() -> None:
    mask = canvas()
    cv2.circle(mask, (200, 200), 80, 1, 3)
    (one,) = found(mask)
    assert one.length_mm == pytest.approx(2 * math.pi * 80 * MM, abs=one.length_error_mm)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_spot_of_a_few_pixels_has_its_extent(side: int) -> None:
    mask = canvas()
    mask[50 : 50 + side, 50 : 50 + side] = 1
    (one,) = found(mask)
    assert one.length_mm == pytest.approx((math.sqrt(2) * (side - 1) + 1) * MM)


def test_a_pixel_is_a_defect() -> None:
    mask = canvas()
    mask[7, 9] = 1
    (one,) = found(mask)
    assert (one.x, one.y, one.width, one.height) == (9, 7, 1, 1)
    assert one.length_mm > 0


def test_pieces_nearer_than_the_gap_are_one_defect_and_further_ones_are_not() -> None:
    mask = canvas()
    cv2.line(mask, (50, 100), (100, 100), 1, 2)
    cv2.line(mask, (110, 100), (160, 100), 1, 2)
    assert len(found(mask)) == 2
    (one,) = found(mask, recipe(gap=12 * MM))
    assert one.length_mm == pytest.approx(110 * MM, abs=4 * MM)
    assert len(found(mask, recipe(gap=4 * MM))) == 2


def test_zones_are_those_that_it_touches_in_part_coordinates() -> None:
    rim = Zone(zone_id="rim", polygon=((0.0, 0.0), (20.0, 0.0), (20.0, 2.0), (0.0, 2.0)), ignore=True)
    asked = recipe(LEFT, rim)
    mask = canvas()
    cv2.circle(mask, (100, 200), 10, 1, -1)  # 5 mm, 10 mm
    cv2.circle(mask, (300, 200), 9, 1, -1)
    cv2.circle(mask, (200, 300), 8, 1, -1)
    cv2.circle(mask, (300, 20), 7, 1, -1)
    inside, right, between, ignored = found(mask, asked)
    assert (inside.zones, inside.is_outside, inside.is_ignored) == (("left",), False, False)
    assert (right.zones, right.is_outside) == ((), True)
    assert (between.zones, between.is_outside) == (("left",), True)
    assert (ignored.zones, ignored.is_ignored) == ((), True)


def test_what_lies_partly_in_an_ignored_zone_counts() -> None:
    rim = Zone(zone_id="rim", polygon=((0.0, 0.0), (20.0, 0.0), (20.0, 2.0), (0.0, 2.0)), ignore=True)
    mask = canvas()
    cv2.circle(mask, (100, 40), 10, 1, -1)
    (one,) = found(mask, recipe(rim))
    assert not one.is_ignored
    assert one.is_outside


def test_a_zone_of_another_view_is_none_of_this_one() -> None:
    mask = canvas()
    mask[10, 10] = 1
    (one,) = found(mask, recipe(LEFT.model_copy(update={"view_id": "other"})))
    assert one.zones == ()


def test_places_are_told_in_the_whole_picture() -> None:
    mask = np.zeros((50, 60), np.uint8)
    mask[5:10, 20:30] = 1
    (one,) = found(mask, region=Region(x=100, y=200, width=60, height=50))
    assert (one.x, one.y) == (120, 205)


def test_the_scale_has_an_uncertainty_and_an_end() -> None:
    mask = canvas()
    cv2.circle(mask, (150, 150), 60, 1, -1)
    (sure,), (rough,) = found(mask), found(mask, recipe(scale_error=0.1))
    assert rough.length_error_mm == pytest.approx(sure.length_error_mm + 0.1 * sure.length_mm)
    over = recipe(scale_until_ms=5)
    assert measured(mask.astype(bool), over, over.views[0], None, 4) is not None
    assert measured(mask.astype(bool), over, over.views[0], None, 5) is None
    without = recipe(mm_per_pixel=None)
    assert measured(mask.astype(bool), without, without.views[0], None, 0) is None


def test_an_empty_mask_has_no_defect() -> None:
    assert found(canvas()) == []
