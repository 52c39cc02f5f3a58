"""The magnetic tiles judged by criteria: each by a network, classes and thresholds that never saw its group."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from linewarden_domain.acceptance import judged
from linewarden_schemas.recipe import Criterion, Recipe, Thresholds, ViewSpec
from linewarden_schemas.vocabulary import Verdict, VerdictRule
from linewarden_train.data.groups import split_by_group
from linewarden_train.data.samples import GOOD, Label, Sample, Samples
from linewarden_train.evaluation.of_bundle import told_regions
from linewarden_train.study.arms import StudyPlan, TrainedFold, train_fold
from linewarden_train.training.calibration import defect_threshold, worst_of_parts
from linewarden_train.training.classes import ToldRegion, class_table, teach_classes, true_regions
from linewarden_train.training.masks import MaskCounts, choose_mask_point, count_mask
from linewarden_train.training.terms import Surroundings
from linewarden_vision.card import CalibrationProvenance
from linewarden_vision.device import to_device
from linewarden_vision.inspecting.judging import judged_view
from linewarden_vision.inspecting.measuring import measured
from linewarden_vision.inspector import ViewScore
from linewarden_vision.prepare import prepare_picture, regions, restore_logits
from linewarden_vision.region_classes import ClassHead, ClassMap, ClassTable, cell_features
from linewarden_vision.stitching import Mosaic, TileScore, passes

MM = 0.1
"""A nominal scale: the set tells no size of its tiles."""
ACCEPTED = Criterion(defect_class="blowhole", accept=True, max_length_mm=2.0, max_area_mm2=2.0, max_count=3)
"""Fixed before any tile was judged."""
_UNUSED = CalibrationProvenance(
    set_digest="0" * 64, set_name="benchmark", n=1, curve_point="never leaves it", date="2000-01-01"
)


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What a network said of one picture that it never saw."""

    sample: Sample
    margin: float
    whole: NDArray[np.float32]
    """Mask logits over the whole input."""
    logits: NDArray[np.float32]
    """The same at the picture's size."""
    features: NDArray[np.float32]
    sizes: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class TileRule:
    """One recipe that the tiles are judged by."""

    name: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class TileJudgement:
    """One picture under one rule: whether its true defects may stay, what became of it, and by criteria or not."""

    label: Label
    may_stay: bool
    verdict: Verdict
    accepted: bool


@dataclass(frozen=True, slots=True)
class TilesJudged:
    """The confusion of classes of what was marked, every picture under every rule, and the labels of the pictures."""

    classes: ClassTable
    judged: Mapping[str, list[TileJudgement]]
    labels: Sequence[Label]


def rules() -> list[TileRule]:
    """The criterion by class and without one, and where criteria may overrule the classifier."""
    blind = ACCEPTED.model_copy(update={"defect_class": None})
    return [
        TileRule("nothing is accepted", _recipe()),
        TileRule("small blowholes are accepted", _recipe(ACCEPTED)),
        TileRule("small blowholes are accepted, over the classifier", _recipe(ACCEPTED, overrules=True)),
        TileRule("anything so small is accepted, over the classifier", _recipe(blind, overrules=True)),
    ]


def _recipe(*criteria: Criterion, overrules: bool = False) -> Recipe:
    return Recipe(
        recipe_id="tiles",
        version=1,
        product_id="tiles",
        bundle_digest="0" * 64,
        views=(ViewSpec(view_id="v", camera_id="c", mm_per_pixel=MM),),
        verdict_rule=VerdictRule.EITHER,
        criteria=criteria or (Criterion(max_count=0),),
        accepts_above_threshold=overrules,
        created_ms=1,
        created_by="benchmark",
    )


def judge_tiles(
    samples: Samples, plan: StudyPlan, folds: int, work: Path, on_progress: Callable[[str, int, int], None]
) -> TilesJudged:
    """Judge the held-out groups of the first folds by each fold's network, which never saw them.

    Mask thresholds, the classifier's threshold and the temperature of the classes come from the other half of the
    fold's held-out groups; the class weights from the groups that taught the network.
    """
    told: list[ToldRegion] = []
    found: dict[str, list[TileJudgement]] = defaultdict(list)
    labels: list[Label] = []
    around = Surroundings(time.monotonic, on_progress)
    for number in range(folds):
        fold = train_fold(samples, plan, f"both:{number}", work, around)
        on_progress("judging", number, folds)
        taught = true_regions(fold.network, fold.rest, fold.spec)
        halves = split_by_group(fold.held_out, 2, np.random.default_rng(plan.options.seed))
        looked = [list(_look(fold, half)) for half in halves]
        for own, other, apart in zip(looked, reversed(looked), reversed(halves), strict=True):
            point = choose_mask_point(_counts(fold, other))[0]
            pair = (taught, true_regions(fold.network, apart, fold.spec))
            head = teach_classes(taught, [pair], "the other half", _UNUSED)
            limit = _limit(other)
            for one in own:
                score = _score(one, head, point.threshold, point.peak)
                told.extend(told_regions(score, one.sample))
                labels.append(one.sample.label)
                for rule in rules():
                    found[rule.name].append(_judged(one.sample, score, rule.recipe, limit))
        on_progress("judging", number + 1, folds)
    how = "regions that the network marked on groups that neither it nor the classes saw"
    return TilesJudged(class_table(how, told), found, labels)


def _look(fold: TrainedFold, samples: Samples, batch: int = 16) -> Iterator[LookedAt]:
    for start in range(0, len(samples), batch):
        chosen = [samples[index] for index in range(start, min(start + batch, len(samples)))]
        ready = [prepare_picture(one.picture, fold.spec) for one in chosen]
        mosaics = [Mosaic(one) for one in ready]
        for tiles in passes(ready, batch):
            with torch.inference_mode():
                output = fold.network(to_device(tiles, torch.device("cpu"), fold.spec.mean, fold.spec.std))
                features = cell_features(output).numpy()
            for row, tile in enumerate(tiles):
                blank = np.zeros(features.shape[-2:], np.uint8)
                margin, logits = float(output.margin[row]), output.mask_logits[row].numpy()
                mosaics[tile.owner].add(tile.origin, TileScore(margin, 0.0, {}, logits, blank, blank, features[row]))
        for sample, prepared, mosaic in zip(chosen, ready, mosaics, strict=True):
            whole, _ = mosaic.merged(np.inf)
            native = restore_logits(whole.logits, prepared)
            if whole.classes is not None:
                size = (int(prepared.pixels.shape[0]), int(prepared.pixels.shape[1]))
                yield LookedAt(sample, whole.margin, whole.logits, native, whole.classes, (size, prepared.inner))


def _counts(fold: TrainedFold, seen: Sequence[LookedAt]) -> MaskCounts:
    return MaskCounts.stack(
        [count_mask(one.whole, prepare_picture(one.sample.picture, fold.spec), one.sample.mask) for one in seen]
    )


def _limit(seen: Sequence[LookedAt]) -> float:
    """The threshold on the margin with 1 % overkill on these good pictures."""
    tainted = {one.sample.label.judged for one in seen if one.sample.label.defective}
    good = np.asarray([one.sample.label.judged not in tainted for one in seen])
    groups = [one.sample.label.group for one in seen]
    return defect_threshold(worst_of_parts(np.asarray([one.margin for one in seen]), groups, good), 0.01)


def _score(one: LookedAt, head: ClassHead, threshold: float, peak: float | None) -> ViewScore:
    mask = regions(one.logits, threshold, peak)
    cells = np.einsum("chw,kc->khw", one.features, np.asarray(head.cells, np.float32))
    classes = ClassMap(head, cells, one.sizes[0], one.sizes[1], (mask.shape[0], mask.shape[1]))
    blank = np.zeros((1, 1), np.uint8)
    return ViewScore(float(expit(one.margin)), one.margin, 0.0, {}, mask, blank, blank, classes)


def _judged(sample: Sample, score: ViewScore, recipe: Recipe, limit: float) -> TileJudgement:
    limits = Thresholds(defect=float(expit(limit)), suspicion=1.0)
    told = judged_view(score, recipe, "v", None, limits, 0)
    return TileJudgement(sample.label, _may_stay(sample, recipe), told.verdict, told.accepted)


def _may_stay(sample: Sample, recipe: Recipe) -> bool:
    """Whether the true defects lie within the criterion, by the true mask and class; a good part stays."""
    if not sample.label.defective:
        return True
    if sample.mask is None or not sample.mask.any():
        return False
    found = measured(sample.mask, recipe, recipe.views[0], None, 0) or ()
    kind = {"defect_class": sample.label.defect_class}
    return all(one.is_within for one in judged([one.model_copy(update=kind) for one in found], recipe.criteria))


def rule_rows(pictures: Sequence[TileJudgement]) -> list[list[str]]:
    """A row a class: those that may stay and those that must go, each by what became of it; groups beside."""
    rows = []
    for name in sorted({one.label.defect_class for one in pictures}, key=lambda name: (name == GOOD, name)):
        own = [one for one in pictures if one.label.defect_class == name]
        groups = len({one.label.group for one in own})
        stay, gone = [one for one in own if one.may_stay], [one for one in own if not one.may_stay]
        fate = Counter(_fate(one) for one in stay)
        missed = Counter(_fate(one) for one in gone)
        rows.append(
            [
                f"{name} ({len(own)} pictures, {groups} groups)",
                *(str(one) for one in (len(stay), fate["OK"], fate["accepted"], fate["NG"])),
                *(str(one) for one in (len(gone), missed["NG"], missed["OK"], missed["accepted"])),
            ]
        )
    return rows


def _fate(one: TileJudgement) -> str:
    if one.accepted:
        return "accepted"
    return "OK" if one.verdict is Verdict.OK else "NG"


RULE_HEADERS = (
    "true class",
    "may stay",
    "OK, nothing marked",
    "accepted with its figures",
    "NG: overkill",
    "must go",
    "NG: caught",
    "missed: nothing marked",
    "missed: accepted",
)
