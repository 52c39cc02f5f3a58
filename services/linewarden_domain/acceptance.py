"""Whether measured defects lie within what a recipe accepts. Pure.

A value is within a limit where it and its uncertainty together are (the rule of ISO 14253-1 for proving conformance):
what cannot be told lies beyond. A defect that touches several zones has to be acceptable in each of them. One whose
class is unknown is bound by the criteria of every class in its zone, and accepted only where each that it may be is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Criterion, Recipe

MOST_DEFECTS = 64
"""Defects of a frame that are told; where there are more, none is acceptable."""


_DECIDES_NO_DEFECT = {"camera_id", "pose", "light", "scale_until_ms"}
"""Of a view."""


def criteria_digest(recipe: Recipe) -> str | None:
    """The digest of what a qualification has to hold under; None where a recipe lets no marked defect go."""
    lets_go = any(one.accept for one in recipe.criteria) or any(zone.ignore for zone in recipe.zones)
    return measuring_digest(recipe) if lets_go else None


def measuring_digest(recipe: Recipe) -> str:
    """SHA-256 of all that decides how marked defects are measured and judged.

    Criteria, zones, gap, verdict rule, and of each view its region and scale with its uncertainty. A field that says
    no more than its default is left out, so that one which a later version adds changes no digest.
    """
    names = {"verdict_rule", "criteria", "zones", "defect_gap_mm", "accepts_above_threshold"}
    content = recipe.model_dump(mode="json", include=names, exclude_defaults=True)
    content["views"] = [
        view.model_dump(mode="json", exclude=_DECIDES_NO_DEFECT, exclude_defaults=True) for view in recipe.views
    ]
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def judged(defects: Sequence[MeasuredDefect], criteria: Sequence[Criterion]) -> tuple[MeasuredDefect, ...]:
    """The defects, each with whether it lies within what the criteria accept, or is ignored."""
    full = {
        number
        for number, one in enumerate(criteria)
        if one.max_count is not None and sum(_may_be(defect, one) for defect in defects) > one.max_count
    }
    return tuple(
        one.model_copy(update={"is_within": len(defects) <= MOST_DEFECTS and _is_within(one, criteria, full)})
        for one in defects
    )


def _is_within(defect: MeasuredDefect, criteria: Sequence[Criterion], full: set[int]) -> bool:
    if defect.is_ignored:
        return True
    return all(_is_within_in(place, defect, criteria, full) for place in _places(defect))


def _is_within_in(place: str | None, defect: MeasuredDefect, criteria: Sequence[Criterion], full: set[int]) -> bool:
    binding = [
        (number, one)
        for number, one in enumerate(criteria)
        if one.zone_id in (None, place) and _class_may_be(defect, one)
    ]
    accepted = {one.defect_class for _, one in binding if one.accept}
    may_be = (defect.defect_class,) if defect.defect_class is not None else defect.may_be
    is_accepted = None in accepted or (bool(may_be) and accepted.issuperset(may_be))
    return is_accepted and all(number not in full and _keeps(defect, one) for number, one in binding)


def _places(defect: MeasuredDefect) -> Iterator[str | None]:
    yield from defect.zones
    if defect.is_outside or not defect.zones:
        yield None


def _may_be(defect: MeasuredDefect, criterion: Criterion) -> bool:
    in_zone = criterion.zone_id is None or criterion.zone_id in defect.zones
    return not defect.is_ignored and in_zone and _class_may_be(defect, criterion)


def _class_may_be(defect: MeasuredDefect, criterion: Criterion) -> bool:
    """A defect whose class nobody told may be of any."""
    return None in (criterion.defect_class, defect.defect_class) or criterion.defect_class == defect.defect_class


def _keeps(defect: MeasuredDefect, criterion: Criterion) -> bool:
    length, area = defect.length_mm + defect.length_error_mm, defect.area_mm2 + defect.area_error_mm2
    limits = ((length, criterion.max_length_mm), (area, criterion.max_area_mm2))
    return all(limit is None or value <= limit for value, limit in limits)
