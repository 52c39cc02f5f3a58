"""What a recipe asks for and the line cannot judge is refused, with what to change; what it can keep is not."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_domain.judgeable import BundleFacts, refusals
from linewarden_schemas.recipe import Criterion, Recipe, Region, ReviewRules, Thresholds, TimeBudget, ViewSpec, Zone
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
