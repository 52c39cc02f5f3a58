"""What a recipe asks for and the line cannot judge is refused, with what to change; what it can keep is not."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_domain.judgeable import BundleFacts, refusals
from linewarden_schemas.recipe import (
    Criterion,
    Locate,
    Recipe,
    Region,
    ReviewRules,
    Thresholds,
    TimeBudget,
    ViewSpec,
    Zone,
)
from linewarden_schemas.vocabulary import Outcome, VerdictRule

PLAIN = Recipe(
    recipe_id="plate",
    version=1,
    product_id="plate",
    bundle_digest="a" * 64,
    views=(ViewSpec(view_id="top", camera_id="cam1", region=Region(x=0, y=0, width=1, height=1)),),
    thresholds=Thresholds(defect=0.5, suspicion=1.0),
    created_ms=0,
    created_by="eng",
)


def view(**more: Any) -> dict[str, Any]:
    return {"views": (ViewSpec(view_id="top", camera_id="cam1", **more),)}


SEAL = Zone(zone_id="seal", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))


def png(width: int, height: int, colour: int = 0) -> bytes:
    """The first bytes of a PNG of 8 bits."""
    sides = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0dIHDR" + sides + bytes([8, colour, 0, 0, 0])


def where(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "template_png": png(16, 256),
        "x": 0,
        "y": 0,
        "max_shift_px": 9.0,
        "least_score": 0.6,
    } | more
    return view(locate=Locate(**fields))


def measured(**more: Any) -> dict[str, Any]:
    return {"zones": (SEAL,), "verdict_rule": VerdictRule.EITHER} | view(mm_per_pixel=0.1) | more


def times(**more: int) -> dict[str, Any]:
    return {"time": TimeBudget(**more)}


def review(**more: Any) -> dict[str, Any]:
    return {"review": ReviewRules(**more)}


def box(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return view(region=Region(x=x, y=y, width=width, height=height))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"thresholds": None},
        {"thresholds": Thresholds(defect=0.0, suspicion=0.0)},
        {"verdict_rule": VerdictRule.EITHER},
        times(decide_by_ms=1_000, commit_margin_ms=999, spool_horizon_ms=1_001),
        measured(),
        where(),
        measured(criteria=(Criterion(zone_id="seal", accept=True, max_length_mm=1.0), Criterion(max_count=0))),
        review(reviews_required=3, needs="weld", audit_share_of_passes=1.0, ng_outcome=Outcome.REWORK),
    ],
)
def test_what_the_line_judges_is_published(change: dict[str, Any]) -> None:
    assert refusals(PLAIN.model_copy(update=change), BundleFacts(is_known=True, marks_defects=True)) == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"criteria": (Criterion(max_count=0),), "verdict_rule": VerdictRule.EITHER},
            "acceptance criteria: mm",
        ),
        (measured(verdict_rule=VerdictRule.CLASSIFIER), "zones: they are held against what the mask marks"),
        (measured(zones=(Zone(zone_id="rim", polygon=(), ignore=True),)), "zone rim: give at least three corners"),
        (measured(zones=(SEAL.model_copy(update={"view_id": "no"}),)), "zone seal: the recipe has no view no"),
        (measured(criteria=(Criterion(defect_class="scratch"),)), "criterion 1, defect_class scratch"),
        (measured(criteria=(Criterion(zone_id="rim"),)), "criterion 1: the recipe has no zone rim"),
        (measured(criteria=(Criterion(accept=True),)), "criterion 1: it would accept a defect of any size"),
        (measured(accepts_above_threshold=True), "accepts_above_threshold: no criterion accepts"),
        (view(pose="flat"), "pose of view top"),
        (view(light="dome"), "light of view top"),
        (box(-1, 0, 5, 5), "region of view top"),
        (where(template_png=b"GIF89a"), "locate of view top: its template is no PNG of 8 bit grey"),
        (where(template_png=png(12, 100)), "locate of view top: its template is no PNG"),
        (where(template_png=png(100, 257)), "locate of view top: its template is no PNG"),
        (where(template_png=png(20, 20, colour=2)), "locate of view top: its template is no PNG"),
        (where(least_score=0.2), "locate of view top: least_score 0.2"),
        (where(least_score=1.0), "locate of view top: least_score 1"),
        (where(max_turn_deg=31.0), "locate of view top: max_turn_deg 31"),
        (where(max_shift_px=2001.0), "locate of view top: max_shift_px 2001"),
        (box(0, 0, 0, 5), "region of view top"),
        (box(0, 0, 5, -5), "region of view top"),
        ({"thresholds": Thresholds(defect=1.0, suspicion=0.5)}, "thresholds.defect 1"),
        ({"thresholds": Thresholds(defect=0.5, suspicion=1.1)}, "thresholds.suspicion 1.1"),
        ({"thresholds": Thresholds(defect=0.5, suspicion=-0.1)}, "thresholds.suspicion -0.1"),
        (times(decide_by_ms=0), "time.decide_by_ms 0"),
        (times(decide_by_ms=2**53), "time.decide_by_ms 9007199254740992"),
        (times(decide_by_ms=500, commit_margin_ms=500), "time.commit_margin_ms 500"),
        (times(max_skew_ms=2**53), "time.max_skew_ms"),
        (times(spool_horizon_ms=0), "time.spool_horizon_ms 0"),
        (times(decide_by_ms=5_000, spool_horizon_ms=5_000), "time.spool_horizon_ms 5000"),
        (times(spool_horizon_ms=2**53), "time.spool_horizon_ms 9007199254740992"),
        (review(ng_outcome=Outcome.ACCEPT), "review.ng_outcome accept"),
        (review(ng_outcome=Outcome.USE_AS_IS), "review.ng_outcome use_as_is"),
        (review(undo_window_ms=2**53), "review.undo_window_ms"),
        (review(max_age_ms=0), "review.max_age_ms 0"),
        (review(slack_low_risk_ms=2**53), "review.slack_low_risk_ms"),
        (review(evidence_keep_ms=2**53), "review.evidence_keep_ms"),
    ],
)
def test_what_it_cannot_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    assert any(one.startswith(named) for one in refusals(PLAIN.model_copy(update=change)))


def test_a_bundle_is_looked_at_where_the_publisher_knows_it() -> None:
    either = PLAIN.model_copy(update={"verdict_rule": VerdictRule.EITHER})
    assert refusals(either) == ()
    [unknown] = refusals(PLAIN, BundleFacts(is_known=False))
    assert unknown.startswith("bundle_digest aaaaaaaaaaaa")
    [without] = refusals(either, BundleFacts(is_known=True, marks_defects=False))
    assert without.startswith("verdict_rule either")


@pytest.mark.parametrize(
    ("classes", "why"),
    [
        (None, "nobody looked whether the bundle tells it"),
        ((), "its bundle tells no classes"),
        (("dent", "pit"), "its bundle tells dent, pit; name one of these"),
    ],
)
def test_a_class_that_the_bundle_does_not_tell_is_refused(classes: tuple[str, ...] | None, why: str) -> None:
    asked = PLAIN.model_copy(update=measured(criteria=(Criterion(defect_class="scratch", max_count=0),)))
    facts = BundleFacts(is_known=True, marks_defects=True, classes=classes)
    assert [one for one in refusals(asked, facts) if why in one]
    assert refusals(asked, BundleFacts(is_known=True, marks_defects=True, classes=("pit", "scratch"))) == ()


def test_what_was_published_under_looser_rules_is_still_read() -> None:
    old = PLAIN.model_copy(update=times(decide_by_ms=2**53, spool_horizon_ms=0) | view(pose="flat"))
    assert Recipe.from_json(old.to_json()) == old
