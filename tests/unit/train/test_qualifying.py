"""Qualifying a bundle: drawn by group before scoring, refused where it must be, void when anything moves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewarden_domain.acceptance import criteria_digest
from linewarden_schemas.recipe import Criterion, Recipe, Region, Thresholds, ViewSpec, Zone
from linewarden_schemas.vocabulary import VerdictRule
from linewarden_train.evaluation.of_bundle import Rows
from linewarden_train.qualification.bound import Bound, NotCertifiableError
from linewarden_train.qualification.criteria import CriteriaJudge, CutSamples
from linewarden_train.qualification.plan import NotApartError, Request, check_apart_from, draw
from linewarden_train.qualification.run import as_qualified, divert_from, qualify_bundle
from linewarden_train.qualification.words import in_words
from linewarden_vision.bundle import Bundle, read_bundle, write_bundle
from linewarden_vision.inspector import Inspector
from linewarden_vision.qualification import Attempt
from tests.unit.train.proving import bundle_of, pictures

_REQUEST = Request(max_pass_rate=0.05, confidence=0.95, seed=0, date="2026-01-31", set_name="set/calibration")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def inspector(bundle: Bundle) -> Inspector:
    return Inspector.from_bundle(bundle, "cpu")


def test_one_picture_a_group_is_drawn_by_seed_before_anything_is_scored() -> None:
    labels = pictures(60, each=3).labels
    first, again = draw(labels, _REQUEST), draw(labels, _REQUEST)
    other = draw(labels, replace(_REQUEST, seed=1))
    assert first == again
    assert first.indices != other.indices
    assert len({labels[index].group for index in first.all}) == len(first.all) == 60


def test_n_is_groups_not_pictures() -> None:
    with pytest.raises(NotCertifiableError, match=r"not certifiable, n = 50 .*needs 59"):
        draw(pictures(50, each=2).labels, _REQUEST)


def test_a_critical_class_has_its_own_rate_and_all_statements_share_delta() -> None:
    labels = pictures(300).labels
    drawn = draw(labels, replace(_REQUEST, critical={"crack": 0.05}))
    assert drawn.delta == pytest.approx(0.025)
    assert len(drawn.indices["crack"]) == 75
    with pytest.raises(NotCertifiableError, match="dent: not certifiable, n = 0"):
        draw(labels, replace(_REQUEST, critical={"dent": 0.05}))


def test_qualifying_again_on_the_same_parts_splits_delta(bundle: Bundle, inspector: Inspector) -> None:
    samples = pictures(130)
    first = qualify_bundle(bundle, inspector, samples, _REQUEST)
    again = qualify_bundle(bundle, inspector, samples, _REQUEST, earlier=first.record.attempts)
    assert [round(attempt.delta, 4) for attempt in again.record.attempts] == [0.05, 0.025]
    assert again.record.joint_confidence == pytest.approx(0.925)
    assert "qualification 2 on the same parts" in "\n".join(in_words(again.record))
    planned = draw(samples.labels, replace(_REQUEST, attempts=4))
    assert planned.delta == pytest.approx(0.0125)
    strangers = [Attempt(content_digest="a" * 64, parts_digest="b" * 64, date="2026-01-01", delta=0.05)]
    assert draw(samples.labels, _REQUEST, strangers).delta == pytest.approx(0.05)


def test_groups_that_made_the_bundle_are_refused(bundle: Bundle) -> None:
    labels = pictures(3, name="taught").labels
    with pytest.raises(NotApartError, match=r"1 defective groups also made the bundle \(taught-1\)"):
        check_apart_from(bundle, labels, "0" * 64)
    with pytest.raises(NotApartError, match="does not say which groups"):
        check_apart_from(replace(bundle, groups=None), labels, "1" * 64)
    calibrated = bundle.card.trust.provenance.set_digest
    with pytest.raises(NotApartError, match="the very pictures"):
        check_apart_from(replace(bundle, groups=None), labels, calibrated)


def test_what_never_passes_is_infinitely_suspicious(bundle: Bundle) -> None:
    limit = bundle.card.thresholds.defect.value
    margin = np.asarray([limit - 1, limit + 1, limit + 0.05, np.nan])
    rows = Rows(margin, np.asarray([0.2, 0.3, 0.4, np.nan]), np.zeros(4, bool), [(-1, -1, -1, -1)] * 4)
    assert as_qualified(rows, bundle.card, 0.0).tolist() == [0.2, np.inf, np.inf, np.inf]
    assert as_qualified(rows, bundle.card, 0.1).tolist() == [0.2, np.inf, 0.4, np.inf]


def test_the_bundle_diverts_from_the_limit_less_the_tolerance_and_never_less_than_before() -> None:
    bounds = [Bound(0.4, 100, 1, 0.05, 0.05), Bound(0.3, 100, 1, 0.05, 0.05)]
    assert divert_from(bounds, 0.9, _REQUEST) == 0.3
    assert divert_from(bounds, 0.9, replace(_REQUEST, tolerance=0.1)) == pytest.approx(0.2)
    assert divert_from(bounds, 0.25, _REQUEST) == 0.25
    assert divert_from(bounds, 0.25, replace(_REQUEST, may_raise=True)) == 0.3
    assert divert_from([Bound(np.inf, 100, 1, 0.05, 0.05)], 0.25, replace(_REQUEST, may_raise=True)) == 0.25


def test_a_qualified_bundle_carries_its_record_and_passes_no_more_than_promised(
    bundle: Bundle, inspector: Inspector, tmp_path: Path
) -> None:
    found = qualify_bundle(bundle, inspector, pictures(130, each=2, good=5), replace(_REQUEST, critical={}))
    write_bundle(tmp_path / "q", found.card, bundle.weights, found.golden, found.extra)
    held = read_bundle(tmp_path / "q")
    record = held.qualification
    assert record is not None
    assert record.void_because(held.content, "float32") is None
    assert (record.n, record.statements[0].allowed) == (130, 2)
    assert record.passed <= record.statements[0].allowed
    assert record.rejected + record.diverted + record.undecidable + record.passed == 130
    assert {one.defect_class: one.n for one in record.classes} == {"crack": 33, "spot": 97}
    assert record.expires == "2026-05-01"
    assert held.card.thresholds.suspicion.value <= bundle.card.thresholds.suspicion.value
    Inspector.from_bundle(held, "cpu")  # the golden set answers by the new threshold
    moved = found.card.model_copy(update={"thresholds": bundle.card.thresholds})
    if moved != found.card:
        write_bundle(tmp_path / "m", moved, bundle.weights, bundle.golden, found.extra)
        void = read_bundle(tmp_path / "m")
        assert void.qualification is not None
        assert void.qualification.void_because(void.content) is not None


def recipe_of(*criteria: Criterion, mm: float = 0.1, **more: Any) -> Recipe:
    """A recipe of one view whose criteria judge, 0.1 mm a pixel; true defects of the set are squares of 12 pixels."""
    fields: dict[str, Any] = {
        "recipe_id": "r",
        "version": 3,
        "product_id": "p",
        "bundle_digest": "0" * 64,
        "views": (ViewSpec(view_id="v", camera_id="c", mm_per_pixel=mm),),
        "verdict_rule": VerdictRule.EITHER,
        "criteria": criteria,
        "created_ms": 1,
        "created_by": "kim",
    }
    return Recipe(**(fields | more))


ACCEPTS = Criterion(accept=True, max_length_mm=2.0)


def judge(recipe: Recipe) -> CriteriaJudge:
    return CriteriaJudge(recipe, None, 0)


def test_true_defects_within_the_criteria_are_left_out_before_the_draw(bundle: Bundle, inspector: Inspector) -> None:
    spots = recipe_of(ACCEPTS.model_copy(update={"defect_class": "spot"}))  # cracks are accepted by nothing
    samples = pictures(300)
    found = qualify_bundle(bundle, inspector, samples, _REQUEST, judge=judge(spots))
    record = found.record
    without_mask = sum(number % 4 != 0 and number % 10 == 0 for number in range(300))
    assert record.within_limits == 225 - without_mask
    assert {one.defect_class: one.n for one in record.classes} == {"crack": 75, "spot": without_mask}
    assert (record.criteria_digest, record.recipe) == (criteria_digest(spots), "r@3")
    assert f"criteria {str(record.criteria_digest)[:12]} of r@3" in "\n".join(in_words(record))


def test_what_criteria_let_go_beyond_its_limits_counts_as_passed(bundle: Bundle) -> None:
    samples = pictures(60)
    low = bundle.card.thresholds.mask.model_copy(update={"value": -1e3})  # all of every picture is marked
    limits = bundle.card.thresholds.model_copy(update={"mask": low})
    bundle = replace(bundle, card=bundle.card.model_copy(update={"thresholds": limits}))
    inspector = Inspector.from_bundle(bundle, "cpu")
    strict = judge(recipe_of(accepts_above_threshold=True))
    everything = judge(recipe_of(Criterion(accept=True, max_length_mm=1e6), accepts_above_threshold=True))
    everything.is_beyond = lambda sample: True  # type: ignore[method-assign]
    request = replace(_REQUEST, may_raise=True)
    kept, let_go = (
        qualify_bundle(bundle, inspector, samples, request, judge=each).record for each in (strict, everything)
    )
    plain = qualify_bundle(bundle, inspector, samples, request).record
    assert 0 < plain.rejected < 60
    assert kept.rejected == 60  # what is marked is rejected as well
    assert (let_go.rejected, let_go.passed + let_go.diverted) == (0, 60)
    assert let_go.statements[0].limit is not None


def test_what_is_let_go_is_never_infinitely_suspicious_and_a_mask_rejects_only_where_scores_do_not_move(
    bundle: Bundle,
) -> None:
    limit = bundle.card.thresholds.defect.value
    margin = np.asarray([limit - 1, limit - 1, limit + 1, limit + 1])
    masks = np.asarray([True, False, True, True])
    rows = Rows(margin, np.full(4, 0.2), masks, [(-1, -1, -1, -1)] * 4, let_go={2})
    assert as_qualified(rows, bundle.card, 0.0, by_mask=True).tolist() == [np.inf, 0.2, 0.2, np.inf]
    assert as_qualified(rows, bundle.card, 0.1, by_mask=True).tolist() == [0.2, 0.2, 0.2, np.inf]
    assert as_qualified(rows, bundle.card, 0.0).tolist() == [0.2, 0.2, 0.2, np.inf]


def test_changed_criteria_void_a_qualification(bundle: Bundle, inspector: Inspector, tmp_path: Path) -> None:
    asked = recipe_of(ACCEPTS, zones=(Zone(zone_id="z", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),))
    found = qualify_bundle(bundle, inspector, pictures(130), _REQUEST, judge=judge(recipe_of()))
    plain = found.record  # a recipe that lets nothing go was qualified as one without criteria
    assert plain.criteria_digest is None
    assert plain.void_under(recipe_of()) is None
    assert "was not qualified with its criteria" in str(plain.void_under(asked))
    held = plain.model_copy(update={"criteria_digest": criteria_digest(asked), "recipe": "r@3"})
    assert held.void_under(asked) is None
    assert held.void_under(asked.model_copy(update={"version": 4, "note": "the same"})) is None
    view = asked.views[0]
    for change in (
        {"criteria": (ACCEPTS.model_copy(update={"max_length_mm": 2.1}),)},
        {"zones": ()},
        {"views": (view.model_copy(update={"mm_per_pixel": 0.11}),)},
        {"views": (view.model_copy(update={"scale_error": 0.01}),)},
        {"defect_gap_mm": 0.2},
        {"accepts_above_threshold": True},
    ):
        assert "the recipe's differ" in str(held.void_under(asked.model_copy(update=change))), change
    assert "lets none go" in str(held.void_under(recipe_of()))
    assert "a threshold of its own" in str(
        held.void_under(asked.model_copy(update={"thresholds": Thresholds(defect=0.5, suspicion=0.5)}))
    )
    write_bundle(tmp_path / "q", found.card, bundle.weights, found.golden, found.extra)
    assert b"criteria_digest" not in plain.to_files()["qualification.json"]
    told = read_bundle(tmp_path / "q")
    assert told.unqualified("float32", "2026-02-01", recipe_of()) is None
    assert "qualification void" in str(told.unqualified("float32", "2026-02-01", asked))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mm": 0.1, "thresholds": Thresholds(defect=0.5, suspicion=0.5)}, "thresholds of its own"),
        ({"views": (ViewSpec(view_id="v", camera_id="c"),)}, "no valid scale"),
        ({"views": (ViewSpec(view_id="v", camera_id="c", mm_per_pixel=0.1, scale_until_ms=0),)}, "no valid scale"),
        ({"views": tuple(ViewSpec(view_id=name, camera_id="c") for name in "ab")}, "name one view of the recipe: a, b"),
    ],
)
def test_a_recipe_that_cannot_be_qualified_with_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        judge(recipe_of(ACCEPTS, **change))


def test_pictures_are_cut_to_the_views_region_or_are_it_already() -> None:
    samples = pictures(2)
    view = ViewSpec(view_id="v", camera_id="c", region=Region(x=4, y=8, width=32, height=16))
    cut = CutSamples(samples, view)[1]
    assert cut.picture.shape == (16, 32)
    assert cut.mask is not None
    assert cut.mask.shape == (16, 32)
    assert np.array_equal(cut.picture, samples[1].picture[8:24, 4:36])
    whole = view.model_copy(update={"region": Region(x=4, y=8, width=64, height=64)})
    assert CutSamples(samples, whole)[1].picture.shape == (64, 64)
    outside = view.model_copy(update={"region": Region(x=60, y=8, width=32, height=16)})
    with pytest.raises(ValueError, match="does not lie in the picture"):
        CutSamples(samples, outside)[1]


def test_the_words_name_every_n_and_what_is_not_promised(bundle: Bundle, inspector: Inspector) -> None:
    record = qualify_bundle(bundle, inspector, pictures(60), _REQUEST).record
    classes = [*record.classes, record.classes[0].model_copy(update={"defect_class": "dent", "n": 0, "passed": 0})]
    told = "\n".join(in_words(record.model_copy(update={"classes": classes})))
    assert "n = 60 groups, k = 0" in told
    assert "dent: no evidence (n = 0)" in told
    assert "system escapes: operators not qualified" in told
    assert "not ppm shipped" in told
    assert "escape rate" not in told
