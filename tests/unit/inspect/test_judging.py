"""The verdict follows the rule, and a missing number is never an OK."""

from __future__ import annotations

import math

import numpy as np
import pytest

from linewarden_schemas.recipe import Recipe, Thresholds, ViewSpec
from linewarden_schemas.vocabulary import Verdict, VerdictRule
from linewarden_vision.card import Card, Stage
from linewarden_vision.inspecting.judging import thresholds_of, verdict_of
from linewarden_vision.inspecting.reasons import reasons_of
from linewarden_vision.inspector import ViewScore
from tests.unit.vision.helpers import small_card

LIMITS = Thresholds(defect=0.5, suspicion=0.6)


def score(p_defect: float, *, mask: bool = False) -> ViewScore:
    small = np.zeros((2, 2), np.uint8)
    return ViewScore(p_defect, 0.0, 0.1, {}, np.full((2, 2), mask), small, small)


@pytest.mark.parametrize(
    ("p_defect", "mask", "rule", "expected"),
    [
        (0.5, False, VerdictRule.CLASSIFIER, Verdict.OK),
        (0.51, False, VerdictRule.CLASSIFIER, Verdict.NG),
        (0.1, True, VerdictRule.CLASSIFIER, Verdict.OK),
        (0.1, True, VerdictRule.EITHER, Verdict.NG),
        (0.1, False, VerdictRule.EITHER, Verdict.OK),
        (math.nan, False, VerdictRule.CLASSIFIER, Verdict.NG),
    ],
)
def test_the_rule_says_what_makes_a_frame_ng(p_defect: float, mask: bool, rule: VerdictRule, expected: Verdict) -> None:
    assert verdict_of(rule, score(p_defect, mask=mask), LIMITS) is expected


def _recipe(thresholds: Thresholds | None) -> Recipe:
    return Recipe(
        recipe_id="r",
        version=1,
        product_id="p",
        bundle_digest="0" * 64,
        views=(ViewSpec(view_id="v", camera_id="c"),),
        thresholds=thresholds,
        created_ms=1,
        created_by="kim",
    )


def _card(stage: Stage) -> Card:
    return small_card().model_copy(update={"stage": stage})


@pytest.mark.parametrize("own", [None, Thresholds(defect=0.5, suspicion=0.99)])
@pytest.mark.parametrize("stage", ["taught", "shadow"])
def test_no_ok_of_a_bundle_that_is_only_taught_or_in_shadow_is_believed(stage: Stage, own: Thresholds | None) -> None:
    thresholds = thresholds_of(_recipe(own), _card(stage))
    assert thresholds.suspicion == 0.0  # suspicion lies in 0 to 1: every OK is doubtful
    assert thresholds.defect == 0.5
    (reason,) = reasons_of(Verdict.OK, score(0.1), thresholds, _card(stage))
    assert f"the bundle is only {'taught' if stage == 'taught' else 'in shadow'}" in reason.sentence


@pytest.mark.parametrize("stage", ["assisted", "released"])
def test_a_promoted_bundle_goes_by_its_thresholds(stage: Stage) -> None:
    assert thresholds_of(_recipe(None), _card(stage)).suspicion == 0.5
    assert thresholds_of(_recipe(LIMITS), _card(stage)) == LIMITS
    assert reasons_of(Verdict.OK, score(0.1), LIMITS, _card(stage)) == ()
