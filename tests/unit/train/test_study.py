"""Cross-fitting, the study built on it, and training on a folder's sides, on small synthetic sets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linewarden_train.data.groups import Subset, split_folds
from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_train.data.sides import sides_of
from linewarden_train.data.synthetic import SyntheticSamples
from linewarden_train.study.arms import StudyPlan
from linewarden_train.study.page import as_markdown
from linewarden_train.study.run import run_study
from linewarden_train.training.bundle import _used_groups
from linewarden_train.training.folder import TrainOptions, fingerprint, train_folder
from linewarden_train.training.loop import TrainStep
from linewarden_train.training.terms import NamedSamples, Surroundings
from linewarden_vision.bundle import read_bundle, write_bundle
from linewarden_vision.inspector import Inspector

_OPTIONS = TrainOptions(
    name="small",
    date="2026-01-01",
    code_version="0",
    encoder="mobilenetv3_small_050",
    pretrained=False,
    frozen=0,
    window=64,
    steps=30,
    folds=2,
    device="cpu",
)


class _Frozen:
    """A clock that counts its looks: one second each."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 1.0
        return self._now


@pytest.fixture(scope="module")
def samples() -> SyntheticSamples:
    return SyntheticSamples(range(100, 290), defect_rate=0.6, difficulties=[0.1], views=1, size=96)


def test_every_picture_is_held_out_once_and_no_group_is_on_both_sides(samples: SyntheticSamples) -> None:
    folds = split_folds(samples, 3, seed=0)
    held = [index for _, part in folds for index in part.indices]
    assert sorted(held) == list(range(len(samples)))
    for rest, part in folds:
        assert {label.group for label in rest.labels} & {label.group for label in part.labels} == set()
    shares = [sum(label.defective for label in part.labels) for _, part in folds]
    assert max(shares) - min(shares) <= 5


def test_one_fold_is_no_cross_fitting(samples: SyntheticSamples) -> None:
    with pytest.raises(ValueError, match="at least 2 folds"):
        split_folds(samples, 1, seed=0)


def test_a_bundle_trained_on_a_set_passes_its_gate_and_never_saw_the_test_side(
    samples: SyntheticSamples, tmp_path: Path
) -> None:
    sides = sides_of(samples)
    heard: list[str] = []
    around = Surroundings(_Frozen(), lambda text, *_: heard.append(text))
    taught, summary = train_folder(sides, _OPTIONS, around)
    digest = write_bundle(tmp_path / "bundle", taught.card, taught.weights, taught.golden, taught.extra)
    assert Inspector.load(tmp_path / "bundle", device="cpu", expected_digest=digest).card.stage == "taught"
    held = read_bundle(tmp_path / "bundle")
    groups, classes = held.groups, held.classes
    assert groups is not None
    assert classes is not None
    assert classes.names == taught.card.class_names
    assert classes.held_out.how.endswith("neither network nor classes saw: 2 folds")
    defective = {label.group for label in sides.train.labels if label.defective}
    assert sum(row.n_groups for row in classes.held_out.rows) == len(defective)
    inspector = Inspector.from_bundle(held, "cpu")
    [score] = inspector.score([inspector.prepare(samples[0].picture)])
    assert score.classes is not None
    assert groups.overlap(label.group for label in sides.test.labels) == []
    assert groups.overlap(label.group for label in sides.calibration.labels if label.defective) == []
    assert len(groups.overlap(label.group for label in sides.train.labels)) == summary.train_groups
    assert {"fold 1 of 2", "fold 2 of 2", "training", "scoring out of fold", "calibrating"} <= set(heard)
    assert summary.image_ap is not None
    assert 0 <= summary.image_ap <= 1


def test_a_group_of_mixed_labels_on_the_calibration_side_did_not_make_the_bundle(samples: SyntheticSamples) -> None:
    teaching, others = NamedSamples("t", Subset(samples, [0])), NamedSamples("c", Subset(samples, [1, 2]))
    mixed = [Label(GOOD, "mixed"), Label("crack", "mixed"), Label(GOOD, "clean")]
    others.samples.labels = mixed  # type: ignore[misc]  # the labels alone are looked at
    own = teaching.samples.labels[0].group
    assert set(_used_groups([teaching, others], goods_only=True)) == {own, "clean"}
    assert set(_used_groups([teaching, others], goods_only=False)) == {own, "clean", "mixed"}


def test_the_day_and_the_name_do_not_make_another_run_and_the_seed_does(samples: SyntheticSamples) -> None:
    today = fingerprint(_OPTIONS, samples)
    assert fingerprint(replace(_OPTIONS, date="2026-01-02", name="other"), samples) == today
    assert fingerprint(replace(_OPTIONS, seed=1), samples) != today


def test_a_set_without_masks_is_refused_before_anything_is_trained(samples: SyntheticSamples) -> None:
    heard: list[str] = []
    sides = sides_of(Bare(samples))
    with pytest.raises(ValueError, match="linewarden teach needs none"):
        train_folder(sides, _OPTIONS, Surroundings(_Frozen(), lambda text, *_: heard.append(text)))
    assert heard == []


class Bare:
    """The same pictures, nothing marked."""

    def __init__(self, samples: SyntheticSamples) -> None:
        self._samples, self.labels = samples, samples.labels

    def __getitem__(self, index: int) -> Sample:
        return replace(self._samples[index], mask=None)

    def __len__(self) -> int:
        return len(self._samples)


@pytest.mark.slow
def test_a_study_takes_up_what_was_trained_and_writes_the_same_page(samples: SyntheticSamples, tmp_path: Path) -> None:
    plan = StudyPlan(_OPTIONS, folds=2, arms=("both", "segmentation"), ablation_folds=2, partner_steps=20)
    pages, steps = [], []

    for jobs in (1, 2):
        taken: list[int] = []

        def heard(_: str, step: TrainStep, taken: list[int] = taken) -> None:
            taken.append(step.number)

        around = Surroundings(_Frozen(), lambda *_: None, on_step=heard)
        study = run_study(samples, plan, tmp_path, around, title="t", machine="m", command="c", jobs=jobs)
        pages.append(as_markdown(study))
        steps.append(len(taken))
    assert steps == [30 * 2 * 2 + 20 * 2, 0]
    assert pages[0] == pages[1]
    assert "## Primary endpoint" in pages[0].split("## Exploratory")[0]
    assert study.evaluation.findings.rates.good.n_groups + study.evaluation.findings.rates.defective.n_groups == 190
    assert [arm.tasks for arm in study.arms] == ["both", "segmentation"]
    assert "| ensemble |" in pages[0]
    assert "20 steps, seed 1" in pages[0]
    assert "recall of misses by turned" in pages[0]
    assert "together and alone" in pages[0]
    assert "together and alone" not in as_markdown(replace(study, arms=[]))
    assert np.isfinite([arm.image_ap[0] for arm in study.arms]).all()
