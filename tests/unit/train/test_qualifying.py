"""Qualifying a bundle: drawn by group before scoring, refused where it must be, void when anything moves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linewarden_train.evaluation.of_bundle import Rows
from linewarden_train.qualification.bound import Bound, NotCertifiableError
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


def test_the_words_name_every_n_and_what_is_not_promised(bundle: Bundle, inspector: Inspector) -> None:
    record = qualify_bundle(bundle, inspector, pictures(60), _REQUEST).record
    classes = [*record.classes, record.classes[0].model_copy(update={"defect_class": "dent", "n": 0, "passed": 0})]
    told = "\n".join(in_words(record.model_copy(update={"classes": classes})))
    assert "n = 60 groups, k = 0" in told
    assert "dent: no evidence (n = 0)" in told
    assert "system escapes: operators not qualified" in told
    assert "not ppm shipped" in told
    assert "escape rate" not in told
