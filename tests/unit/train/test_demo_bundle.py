from pathlib import Path

import numpy as np
import pytest

from linewarden_train.data.samples import Label
from linewarden_train.demo_bundle import SetSizes, _compare, synthetic_set
from linewarden_train.training.scoring import RawScores
from linewarden_vision.inspector import Inspector, ViewScore
from linewarden_vision.synthetic.demo import FIRST_DEMO_SEED, demo_part

_FOLDER = Path(__file__).parents[3] / "services" / "linewarden" / "assets" / "demo-bundle"


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector.load(_FOLDER, device="cpu")


def _worst(inspector: Inspector, number: int, defect_rate: float) -> ViewScore:
    part = demo_part(number, defect_rate=defect_rate)
    scores = inspector.score([inspector.prepare(view.picture) for view in part.views])
    return max(scores, key=lambda score: score.margin)


def test_the_committed_bundle_passes_its_gate_and_is_small(inspector: Inspector) -> None:
    assert inspector.gate.margin_deviation < 0.05
    assert sum(path.stat().st_size for path in _FOLDER.iterdir()) < 3_000_000


def test_the_committed_bundle_tells_defective_parts_from_good_ones(inspector: Inspector) -> None:
    limits = inspector.card.thresholds
    good = [limits.is_defect(_worst(inspector, number, 0.0).margin) for number in range(24)]
    defective = [limits.is_defect(_worst(inspector, number, 1.0).margin) for number in range(24)]
    assert sum(good) <= 2
    assert sum(defective) >= 10


def test_every_number_in_the_card_says_where_it_comes_from(inspector: Inspector) -> None:
    card = inspector.card
    sources = {
        card.thresholds.defect.provenance.set_digest,
        card.thresholds.suspicion.provenance.set_digest,
        card.thresholds.mask.provenance.set_digest,
        card.trust.provenance.set_digest,
    }
    assert len(sources) == 2  # thresholds on their own set, mask and trust on the calibration set
    assert any("misses caught by lowering the threshold" in note for note in card.notes)


def test_no_two_sets_and_no_part_of_the_demo_share_a_seed() -> None:
    names = ("teaching", "calibration", "thresholds", "golden", "report")
    groups = [
        {label.group for label in synthetic_set(name, seed, order, 3, 0.5).samples.labels}
        for seed in range(2)
        for order, name in enumerate(names)
    ]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 30
    largest = max(SetSizes().teaching, SetSizes().report)
    assert largest < 1_000_000
    assert all(int(group.removeprefix("part-")) < FIRST_DEMO_SEED for found in groups for group in found)


def test_the_report_counts_parts_by_their_worst_view(inspector: Inspector) -> None:
    labels = [Label("crack" if index == 0 else "good", f"part-{index // 3}") for index in range(6)]
    low, high = inspector.card.thresholds.defect.value - 5, inspector.card.thresholds.defect.value + 5
    names = ("margin", "mask_evidence", "agreement", "agreement_enhanced", "margin_turned")
    columns = {name: np.array([low, high, low, low, low, low]) for name in names}
    comparison = _compare(inspector.card, RawScores(columns, np.ones(6), np.ones(6), labels))
    assert (comparison.defective, comparison.good, comparison.missed) == (1, 1, 0)
