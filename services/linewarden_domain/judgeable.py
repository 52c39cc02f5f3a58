"""What a recipe asks for and a line cannot judge: whoever publishes one refuses it, by this one rule.

A line judges each view of the recipe by one bundle: the picture of that view's camera, cut to its region, against the
threshold on the probability of a defect (under `either` also by the mask) and the one on suspicion. The part is located
by a template where the view has one; what a mask marks is measured in mm and held against criteria by zone, and by
class where the bundle tells classes. It holds the visit's deadline, and has people review what was withheld. Nothing
tells poses or lights.
What was published under looser rules is still read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linewarden_schemas.recipe import Recipe, ReviewRules, TimeBudget, ViewSpec, unjudged
from linewarden_schemas.vocabulary import Outcome, VerdictRule

NO_MASKS = "no mask was given: nothing is ever marked"
"""What the card of a bundle that was taught without masks says of its mask threshold."""
LEAST_TEMPLATE, MOST_TEMPLATE = 16, 256
"""Pixels of a side of the template that locates a part, after its reduction."""
LEAST_SCORE = 0.3
"""What correlates with a template by less than this is anything."""
MOST_TURN_DEG = 30.0
MOST_SHIFT_PX = 2_000.0
_DAY_MS = 86_400_000
LONGEST_DECIDE_BY_MS = _DAY_MS
_LONGEST_HORIZON_MS = 366 * _DAY_MS
_LONGEST_UNDO_MS = _DAY_MS
_LONGEST_REVIEW_MS = 366 * _DAY_MS
_LONGEST_KEEPING_MS = 36_600 * _DAY_MS
_TAKE_OUT = "take it out, or into the note"


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """What the publisher knows of the recipe's bundle; None where it cannot tell."""

    is_known: bool | None = None
    marks_defects: bool | None = None
    classes: tuple[str, ...] | None = None


def refusals(recipe: Recipe, bundle: BundleFacts | None = None) -> tuple[str, ...]:
    """What of a recipe the line could not keep, each with what to change; empty where it may be published."""
    facts = bundle or BundleFacts()
    found = [*_unjudged(recipe), *_of_classes(recipe, facts), *_of_bundle(recipe, facts)]
    return (*found, *_of_thresholds(recipe), *_of_time(recipe.time), *_of_review(recipe.review))


def _unjudged(recipe: Recipe) -> Iterator[str]:
    for what in unjudged(recipe):
        if recipe.verdict_rule is not VerdictRule.EITHER:
            yield f"{what}: they are held against what the mask marks; set verdict_rule to either"
        without = [view.view_id for view in recipe.views if view.mm_per_pixel is None]
        if without:
            yield f"{what}: mm_per_pixel is missing for view {', '.join(without)}; see 'linewarden camera calibrate'"
    yield from _of_zones(recipe)
    yield from _of_criteria(recipe)
    for view in recipe.views:
        yield from _of_view(view)


def _of_zones(recipe: Recipe) -> Iterator[str]:
    views = {view.view_id for view in recipe.views}
    for zone in recipe.zones:
        if len(zone.polygon) < 3:
            yield f"zone {zone.zone_id}: give at least three corners, in mm"
        if zone.view_id is not None and zone.view_id not in views:
            yield f"zone {zone.zone_id}: the recipe has no view {zone.view_id}"


def _of_criteria(recipe: Recipe) -> Iterator[str]:
    zones = {zone.zone_id for zone in recipe.zones if not zone.ignore}
    for number, one in enumerate(recipe.criteria, 1):
        if one.zone_id is not None and one.zone_id not in zones:
            yield f"criterion {number}: the recipe has no zone {one.zone_id} that is judged"
        if one.accept and one.max_length_mm is None and one.max_area_mm2 is None:
            yield f"criterion {number}: it would accept a defect of any size; give max_length_mm or max_area_mm2"
    if recipe.accepts_above_threshold and not any(one.accept for one in recipe.criteria):
        yield "accepts_above_threshold: no criterion accepts anything; set accept, or take it out"


def _of_classes(recipe: Recipe, bundle: BundleFacts) -> Iterator[str]:
    for number, one in enumerate(recipe.criteria, 1):
        if one.defect_class is None or (bundle.classes and one.defect_class in bundle.classes):
            continue
        if bundle.classes is None:
            why = "nobody looked whether the bundle tells it; name the folder of bundles, or zones alone"
        elif not bundle.classes:
            why = "its bundle tells no classes; name zones alone"
        else:
            why = f"its bundle tells {', '.join(bundle.classes)}; name one of these"
        yield f"criterion {number}, defect_class {one.defect_class}: {why}"


def _of_view(view: ViewSpec) -> Iterator[str]:
    for what, given in (("pose", view.pose), ("light", view.light)):
        if given is not None:
            yield f"{what} of view {view.view_id}: nothing on the line looks at it; {_TAKE_OUT}"
    yield from _of_locate(view)
    region = view.region
    if region is not None and (min(region.x, region.y) < 0 or min(region.width, region.height) < 1):
        yield (
            f"region of view {view.view_id}: it lies in no picture; give x and y from 0 on, "
            "width and height of at least one pixel"
        )


def _of_locate(view: ViewSpec) -> Iterator[str]:
    locate = view.locate
    if locate is None:
        return
    name = f"locate of view {view.view_id}"
    if not is_template(locate.template_png):
        sides = f"sides of {LEAST_TEMPLATE} to {MOST_TEMPLATE} pixels"
        yield f"{name}: its template is no PNG of 8 bit grey with {sides}; make it by 'linewarden recipe locate'"
    if not LEAST_SCORE <= locate.least_score < 1.0:
        yield f"{name}: least_score {locate.least_score:g}: give {LEAST_SCORE:g} or more, and less than 1"
    if locate.max_turn_deg > MOST_TURN_DEG:
        yield f"{name}: max_turn_deg {locate.max_turn_deg:g}: give at most {MOST_TURN_DEG:g}"
    if locate.max_shift_px > MOST_SHIFT_PX:
        yield f"{name}: max_shift_px {locate.max_shift_px:g}: give at most {MOST_SHIFT_PX:g}"


def is_template(data: bytes) -> bool:
    """Whether a PNG calls itself a template by its header: 8 bit grey, of sides that it may have."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or data[24:26] != b"\x08\x00":
        return False
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    return LEAST_TEMPLATE <= min(width, height) <= max(width, height) <= MOST_TEMPLATE


def _of_bundle(recipe: Recipe, bundle: BundleFacts) -> Iterator[str]:
    if bundle.is_known is False:
        yield (
            f"bundle_digest {recipe.bundle_digest[:12]}: the line has no such bundle; copy its folder there, "
            "or name one that it has"
        )
    if recipe.verdict_rule is VerdictRule.EITHER and bundle.marks_defects is False:
        yield "verdict_rule either: its bundle was taught without masks and marks nothing; use classifier"


def _of_thresholds(recipe: Recipe) -> Iterator[str]:
    limits = recipe.thresholds
    if limits is None:
        return
    if limits.defect >= 1.0:
        yield f"thresholds.defect {limits.defect:g}: a probability never exceeds 1, so nothing would be NG; lower it"
    if not 0.0 <= limits.suspicion <= 1.0:
        yield f"thresholds.suspicion {limits.suspicion:g}: suspicion lies between 0 and 1; give a limit between them"


def _of_time(time: TimeBudget) -> Iterator[str]:
    if not 0 < time.decide_by_ms <= LONGEST_DECIDE_BY_MS:
        yield f"time.decide_by_ms {time.decide_by_ms}: give more than 0 and at most {LONGEST_DECIDE_BY_MS}"
    if time.commit_margin_ms >= time.decide_by_ms:
        yield (
            f"time.commit_margin_ms {time.commit_margin_ms}: with a decide-by of {time.decide_by_ms} ms nothing could "
            "pass; make it smaller"
        )
    if time.max_skew_ms > LONGEST_DECIDE_BY_MS:
        yield f"time.max_skew_ms {time.max_skew_ms}: give at most {LONGEST_DECIDE_BY_MS}"
    if not time.decide_by_ms < time.spool_horizon_ms <= _LONGEST_HORIZON_MS:
        yield (
            f"time.spool_horizon_ms {time.spool_horizon_ms}: give more than decide_by_ms, or visits are forgotten "
            f"before they are decided, and at most {_LONGEST_HORIZON_MS}"
        )


def _of_review(review: ReviewRules) -> Iterator[str]:
    if review.ng_outcome in {Outcome.ACCEPT, Outcome.USE_AS_IS}:
        yield f"review.ng_outcome {review.ng_outcome.value}: an NG never lets a part go on; use rework or scrap"
    for name, value, least, most in (
        ("undo_window_ms", review.undo_window_ms, 0, _LONGEST_UNDO_MS),
        ("max_age_ms", review.max_age_ms, 1, _LONGEST_REVIEW_MS),
        ("slack_low_risk_ms", review.slack_low_risk_ms, 0, _LONGEST_REVIEW_MS),
        ("evidence_keep_ms", review.evidence_keep_ms, 0, _LONGEST_KEEPING_MS),
    ):
        if not least <= value <= most:
            yield f"review.{name} {value}: nobody could keep it; give {least} to {most}"
