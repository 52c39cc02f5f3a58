"""Classes of regions are taught by group, held against groups that did not teach them; too few, and none is told."""

from __future__ import annotations

import numpy as np
import pytest

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.evaluation.of_bundle import told_regions
from linewarden_train.evaluation.words import confusion_headers, confusion_rows
from linewarden_train.training.classes import (
    NOT_MARKED,
    UNKNOWN,
    RegionFeatures,
    ToldRegion,
    class_table,
    fit_classes,
    teach_classes,
    temperature_of,
    too_few,
    true_regions,
)
from linewarden_vision.inspector import ViewScore
from tests.unit.vision.helpers import SIZE, small_card, small_network
from tests.unit.vision.test_region_classes import class_map

_SOURCE = small_card().trust.provenance


def regions(groups: int, *, apart: float = 4.0, seed: int = 0, name: str = "part") -> RegionFeatures:
    """Two classes in turn, two regions a group, told apart by the first of five features."""
    rng = np.random.default_rng(seed)
    labels = [Label("pit" if group % 2 else "scratch", f"{name}-{group}") for group in range(groups) for _ in range(2)]
    features = rng.normal(0, 1, (len(labels), 5))
    features[:, 0] += [apart if label.defect_class == "pit" else 0.0 for label in labels]
    return RegionFeatures(features, labels)


def test_what_features_tell_apart_is_told_on_groups_that_did_not_teach_it() -> None:
    taught, held = regions(40), regions(40, seed=1, name="held")
    head = teach_classes(taught, [(taught, held)], "held out", _SOURCE)
    assert head.names == ["pit", "scratch"]
    shares = {row.defect_class: row.told for row in head.held_out.rows}
    assert min(shares["pit"]["pit"], shares["scratch"]["scratch"]) > 0.8
    assert [(row.n_groups, row.n_regions) for row in head.held_out.rows] == [(20, 40), (20, 40)]


def test_what_they_do_not_tell_apart_is_unknown() -> None:
    taught, held = regions(40, apart=0.0), regions(40, apart=0.0, seed=1)
    head = teach_classes(taught, [(taught, held)], "held out", _SOURCE)
    assert all(row.told.get(UNKNOWN, 0.0) > 0.9 for row in head.held_out.rows)


def test_a_class_that_nobody_taught_has_a_row_of_its_own() -> None:
    taught = regions(40)
    held = regions(4, seed=1)
    strange = RegionFeatures(held.features, [Label("crack", label.group) for label in held.labels])
    head = teach_classes(taught, [(taught, RegionFeatures.joined([held, strange]))], "held out", _SOURCE)
    assert [row.defect_class for row in head.held_out.rows] == ["crack", "pit", "scratch"]


def test_probabilities_that_are_too_sure_are_cooled() -> None:
    sure = np.asarray([[9.0, -9.0], [9.0, -9.0], [-9.0, 9.0], [9.0, -9.0]])
    labels = [Label("a", "1"), Label("a", "2"), Label("b", "3"), Label("b", "4")]
    assert temperature_of(sure, np.asarray([0, 0, 1, 1]), labels) > 5


def test_every_group_weighs_the_same_however_many_regions_it_has() -> None:
    base = regions(20)
    copies = [0] * 200  # one group repeats a region two hundred times
    many = RegionFeatures(
        np.concatenate([base.features, base.features[copies]]), [*base.labels, *[base.labels[0] for _ in copies]]
    )
    weights = [fit_classes(one, ["pit", "scratch"]).weights[0, 0] for one in (base, many)]
    assert weights[0] == pytest.approx(weights[1], rel=0.25)


def test_too_few_groups_of_a_class_and_no_class_is_told() -> None:
    held = [regions(8)]
    assert too_few(regions(10), held) is None
    assert too_few(regions(8), held) == "pit has 4, scratch has 4 groups with a mask, and 5 are needed of each class"
    assert too_few(regions(1), held) == "1 class of defects with masks"
    assert too_few(regions(10), [RegionFeatures(np.zeros((0, 5)), [])]) == "no held-out group has a mask"


def test_regions_are_the_connected_parts_of_true_masks_with_the_networks_features() -> None:
    samples = SyntheticSamples(range(12), defect_rate=1.0, difficulties=[0.1], views=1, size=SIZE)
    found = true_regions(small_network(), samples, small_card().picture)
    assert {label.group for label in found.labels} == {label.group for label in samples.labels if label.defective}
    assert found.features.shape[0] == len(found.labels)
    assert np.isfinite(found.features).all()
    assert np.ptp(found.features[:, :-3], axis=0).max() > 0


def test_the_table_counts_each_group_once() -> None:
    pit, other = Label("pit", "a"), Label("pit", "b")
    table = class_table("x", [ToldRegion(pit, "pit"), *[ToldRegion(other, told) for told in ("pit", UNKNOWN)]])
    [row] = table.rows
    assert row.told == {"pit": 0.75, UNKNOWN: 0.25}
    assert confusion_headers(table) == ["true class", "pit", UNKNOWN, "evidence"]
    assert confusion_rows(table) == [["pit", "75%", "25%", "3 regions, 2 groups"]]


def test_of_a_picture_the_marked_regions_that_touch_its_defect_are_told() -> None:
    told = class_map([[3.0, -3.0, 3.0]])
    truth = np.zeros((8, 24), bool)
    truth[2:6, 2:6] = True
    marked = np.zeros((8, 24), bool)
    marked[3:5, 3:5] = marked[3:5, 12:14] = True
    blank = np.zeros((1, 3), np.uint8)

    def of(mask: np.ndarray, label: Label, true: np.ndarray | None = truth) -> list[str]:
        score = ViewScore(0.9, 1.0, 0.1, {}, mask, blank, blank, told)
        return [one.told for one in told_regions(score, Sample(blank, true, label))]

    assert of(marked, Label("scratch", "g")) == ["scratch"]
    assert of(marked & ~truth, Label("scratch", "g")) == [NOT_MARKED]
    assert of(marked, Label("scratch", "g"), None) == []
    assert of(marked, Label(GOOD, "g"), truth & False) == ["scratch", "pit"]
