"""The verdict follows the rule, and a missing number is never an OK."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from linewarden_schemas.capture import FrameMetadata
from linewarden_schemas.envelope import Frame
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.live_limit import LiveLimit
from linewarden_schemas.recipe import Criterion, Recipe, Thresholds, ViewSpec, Zone
from linewarden_schemas.sample_acts import LIVE_LIMIT
from linewarden_schemas.vocabulary import Verdict, VerdictRule
from linewarden_vision.card import Card, Stage
from linewarden_vision.inspecting.judging import _is_acceptable, decided, thresholds_of, verdict_of
from linewarden_vision.inspecting.preparing import Ready
from linewarden_vision.inspecting.reasons import reasons_of
from linewarden_vision.inspector import ViewScore
from linewarden_vision.region_classes import ClassMap
from linewarden_vision.standing import LIVE_CODES, OkBacking
from tests.support.bundles import qualification_of
from tests.unit.vision.helpers import small_card
from tests.unit.vision.test_region_classes import class_map

LIMITS = Thresholds(defect=0.5, suspicion=0.5)


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


def _recipe(thresholds: Thresholds | None, **more: Any) -> Recipe:
    return Recipe(
        recipe_id="r",
        version=1,
        product_id="p",
        bundle_digest="0" * 64,
        views=(ViewSpec(view_id="v", camera_id="c"),),
        thresholds=thresholds,
        created_ms=1,
        created_by="kim",
        **more,
    )


def _marked(recipe: Recipe, p_defect: float = 0.1, *, size: int = 4, classes: ClassMap | None = None) -> Inspection:
    """What is said of a picture of 100 x 100 in which a square is marked."""
    mask = np.zeros((100, 100), bool)
    mask[10 : 10 + size, 10 : 10 + size] = True
    small = np.zeros((13, 13), np.uint8)
    taken = replace(score(p_defect), mask=mask, class_specific=small, class_agnostic=small, classes=classes)
    meta = FrameMetadata(
        frame_id="f",
        visit_id="w",
        view_id="v",
        line_id="l",
        station_id="s",
        camera_id="c",
        recipe=recipe.ref(),
        captured_ms=1,
        decide_by_ms=2,
        sha256="0" * 64,
        content_type="image/png",
    )
    scorer: Any = SimpleNamespace(
        card=_card("released"),
        standing=OkBacking("released", is_tried=True),
        digest="0" * 64,
        device="cpu",
        precision="float32",
    )
    source = SourceRef(topic="t", partition=0, offset=0)
    ready = Ready(Frame(meta, b"", None), source, recipe, None, scorer, None, (100, 100))
    return decided(ready, taken, 1)


def _judging(**more: Any) -> Recipe:
    views = (ViewSpec(view_id="v", camera_id="c", mm_per_pixel=0.1),)
    accept = (Criterion(accept=True, max_length_mm=1.0),)
    fields: dict[str, Any] = {"views": views, "verdict_rule": VerdictRule.EITHER, "criteria": accept}
    return _recipe(LIMITS).model_copy(update=fields | more)


def test_what_is_marked_and_acceptable_is_ok_with_its_figures() -> None:
    said = _marked(_judging())
    assert (said.verdict, said.accepted) == (Verdict.OK, True)
    assert "within the recipe's limits" in said.reasons[0]
    assert [one.is_within for one in said.defects or ()] == [True]


def test_what_is_marked_and_beyond_is_ng_with_its_figures() -> None:
    said = _marked(_judging(), size=40)
    assert (said.verdict, said.accepted) == (Verdict.NG, False)
    assert "beyond what the recipe accepts" in said.reasons[1]


def test_a_probability_above_its_threshold_is_overruled_only_where_the_recipe_says_so() -> None:
    assert _marked(_judging(), 0.9).verdict is Verdict.NG
    told = _marked(_judging(accepts_above_threshold=True), 0.9)
    assert (told.verdict, told.accepted) == (Verdict.OK, True)
    assert not _is_acceptable(told.defects or (), _judging(accepts_above_threshold=True), score(math.nan), LIMITS)
    nothing_marked = _marked(_judging(accepts_above_threshold=True), 0.9, size=0)
    assert (nothing_marked.verdict, nothing_marked.accepted, nothing_marked.defects) == (Verdict.NG, False, ())


def test_marks_in_ignored_zones_alone_never_overrule_the_classifier() -> None:
    everywhere = Zone(zone_id="rim", polygon=((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)), ignore=True)
    asked = _judging(zones=(everywhere,), accepts_above_threshold=True)
    below = _marked(asked)
    assert (below.verdict, below.accepted, [one.is_ignored for one in below.defects or ()]) == (
        Verdict.OK,
        True,
        [True],
    )
    above = _marked(asked, 0.9)
    assert (above.verdict, above.accepted) == (Verdict.NG, False)


def test_a_defect_has_its_class_and_the_words_say_it() -> None:
    pit = Criterion(defect_class="pit", accept=True, max_length_mm=1.0)
    scratch = pit.model_copy(update={"defect_class": "scratch"})
    sure = _marked(_judging(criteria=(scratch,)), classes=class_map([[3.0] * 13] * 13))
    [one] = sure.defects or ()
    assert (sure.verdict, sure.defect_class, one.defect_class, one.may_be) == (Verdict.OK, "scratch", "scratch", ())
    assert sure.reasons[0].startswith("scratch (p 1.00) 0.")
    unsure = _marked(_judging(criteria=(scratch,)), classes=class_map([[0.1] * 13] * 13))
    [one] = unsure.defects or ()
    assert (unsure.verdict, unsure.defect_class, one.defect_class) == (Verdict.NG, None, None)
    assert (one.may_be, round(one.class_probability or 0, 2)) == (("pit", "scratch"), 0.55)
    assert unsure.reasons[1].startswith("defect of unknown class (p 0.55)")
    assert _marked(_judging(criteria=(scratch, pit)), classes=class_map([[0.1] * 13] * 13)).verdict is Verdict.OK


def test_what_a_recipe_does_not_ask_for_is_not_measured_and_a_view_without_a_scale_cannot_be() -> None:
    assert _marked(_judging(criteria=())).defects is None
    without = _judging(views=(ViewSpec(view_id="v", camera_id="c"),))
    assert (_marked(without).verdict, _marked(without).defects) == (Verdict.NG, None)


def _card(stage: Stage) -> Card:
    return small_card().model_copy(update={"stage": stage})


@pytest.mark.parametrize("own", [None, Thresholds(defect=0.5, suspicion=0.99)])
@pytest.mark.parametrize("stage", ["taught", "shadow"])
def test_no_ok_of_a_bundle_that_is_only_taught_or_in_shadow_is_believed(stage: Stage, own: Thresholds | None) -> None:
    doubt = _standing(stage).doubt(_card(stage), _recipe(own), AT)
    thresholds = thresholds_of(_recipe(own), _card(stage), doubt)
    assert thresholds.suspicion == 0.0  # suspicion lies in 0 to 1: every OK is doubtful
    assert thresholds.defect == 0.5
    (reason,) = reasons_of(Verdict.OK, score(0.1), thresholds, _card(stage), doubt)
    assert f"the bundle is only {'taught' if stage == 'taught' else 'in shadow'}" in reason.sentence


@pytest.mark.parametrize("stage", ["assisted", "released"])
def test_a_promoted_bundle_behind_which_stands_what_its_stage_asks_goes_by_its_thresholds(stage: Stage) -> None:
    live = None if stage == "released" else _live()
    doubt = _standing(stage).doubt(_card(stage), _recipe(LIMITS, max_defect_rate_of_passes=0.01), AT, live)
    assert doubt is None
    assert thresholds_of(_recipe(None), _card(stage), doubt).suspicion == 0.5
    assert thresholds_of(_recipe(LIMITS), _card(stage), doubt) == LIMITS
    assert reasons_of(Verdict.OK, score(0.1), LIMITS, _card(stage), doubt) == ()


DAY_MS = 86_400_000
AT = 1_767_225_600_000  # 2026-01-01
LOOSE = Thresholds(defect=0.5, suspicion=0.99)
STRICT = Thresholds(defect=0.2, suspicion=0.1)


def _standing(stage: Stage, expires: str = "2026-01-31", **more: Any) -> OkBacking:
    return OkBacking(stage, qualification_of("0" * 64, expires), **more)


def _live(**more: Any) -> LiveLimit:
    """A limit of one in a hundred that holds from AT for a day."""
    times = {"from_ms": AT - 2 * DAY_MS, "to_ms": AT - DAY_MS, "made_ms": AT, "until_ms": AT + DAY_MS}
    return LIVE_LIMIT.model_copy(update={**times, "upper": 0.01, **more})


@pytest.mark.parametrize(
    ("most", "live", "at_ms", "words"),
    [
        (None, _live(), AT, "the recipe names no limit for what it passes"),
        (0.01, None, AT, "nobody knows how many defects its assisted bundle passes on this line"),
        (0.01, _live(), AT - 1, "nobody knows how many"),
        (0.01, _live(), AT + DAY_MS, "nobody knows how many"),
        (
            0.01,
            _live(upper=0.0101),
            AT,
            "up to 1.01% of what its assisted bundle passes may be defective (limit 1.00%)",
        ),
    ],
)
def test_no_ok_of_an_assisted_bundle_counts_without_a_live_limit_within_the_recipes(
    most: float | None, live: LiveLimit | None, at_ms: int, words: str
) -> None:
    card, recipe = _card("assisted"), _recipe(STRICT, max_defect_rate_of_passes=most)
    doubt = _standing("assisted").doubt(card, recipe, at_ms, live)
    assert thresholds_of(recipe, card, doubt).suspicion == 0.0
    (reason,) = reasons_of(Verdict.OK, score(0.1), LIMITS, card, doubt)
    assert words in reason.sentence
    assert (reason.reason.code in LIVE_CODES, reason.reason.parameters["own_limit"]) == (True, STRICT.suspicion)


def test_the_end_of_a_live_limit_is_announced_fourteen_days_before() -> None:
    held, live = _standing("assisted"), [_live(until_ms=AT + 40 * DAY_MS), _live(until_ms=AT + 30 * DAY_MS)]
    assert held.notice(AT + 15 * DAY_MS, live) is None
    assert held.notice(AT + 16 * DAY_MS, live) == "its live limit ends on 2026-01-31, in 14 days; then every OK diverts"
    assert "linewarden live" in str(held.notice(AT + 32 * DAY_MS, live))
    assert held.notice(AT + 16 * DAY_MS) is None


@pytest.mark.parametrize("stage", ["released"])
@pytest.mark.parametrize(
    ("standing", "recipe", "at_ms", "words"),
    [
        (OkBacking, None, AT, "its bundle is not qualified"),
        (partial(_standing, void="weights differ"), None, AT, "qualification of its bundle is void (weights differ)"),
        (_standing, None, AT + 31 * DAY_MS, "the qualification of its bundle ended on 2026-01-31"),
        (_standing, LOOSE, AT, "let more pass than was qualified"),
    ],
)
def test_no_ok_of_a_released_bundle_counts_without_a_qualification_that_holds_now(
    stage: Stage, standing: Callable[[Stage], OkBacking], recipe: Thresholds | None, at_ms: int, words: str
) -> None:
    doubt = standing(stage).doubt(_card(stage), _recipe(recipe), at_ms)
    assert thresholds_of(_recipe(recipe), _card(stage), doubt).suspicion == 0.0
    (reason,) = reasons_of(Verdict.OK, score(0.1), LIMITS, _card(stage), doubt)
    assert words in reason.sentence
    assert "no OK of it counts" in reason.sentence


def test_a_qualification_holds_to_the_end_of_its_last_day_and_under_stricter_thresholds() -> None:
    held = _standing("released")
    assert held.doubt(_card("released"), None, AT + 31 * DAY_MS - 1) is None
    assert held.doubt(_card("released"), _recipe(STRICT), AT) is None


def test_its_end_is_announced_fourteen_days_before_and_no_sooner() -> None:
    held = _standing("released")
    assert held.notice(AT + 15 * DAY_MS) is None
    assert held.notice(AT + 16 * DAY_MS) == "its qualification ends on 2026-01-31, in 14 days; then every OK diverts"
    assert "ended on 2026-01-31" in str(held.notice(AT + 31 * DAY_MS))
    assert _standing("shadow").notice(AT + 31 * DAY_MS) is None  # nothing of it passes anyhow
