"""From data sets to a bundle: train, calibrate, set thresholds with their provenance, choose golden pictures."""

from dataclasses import replace

import numpy as np

from linewarden_domain.resampling import Values
from linewarden_train.data.groups import Joined, check_apart, split_folds
from linewarden_train.data.samples import Samples, digest_of
from linewarden_train.training.calibration import (
    defect_threshold,
    fit_trust,
    suspicion_of,
    suspicion_threshold,
    worst_of_parts,
)
from linewarden_train.training.choosing import choose
from linewarden_train.training.classes import RegionFeatures, teach_classes, too_few, true_regions
from linewarden_train.training.golden import choose_golden, lacking
from linewarden_train.training.inputs import picture_spec
from linewarden_train.training.masks import MaskCounts, choose_mask_point
from linewarden_train.training.network import score, score_held_out, train_network
from linewarden_train.training.scoring import RawScores
from linewarden_train.training.terms import NamedSamples, Surroundings, Taught, TeachingSets, TeachSettings
from linewarden_vision.card import (
    BundleThresholds,
    CalibrationProvenance,
    Card,
    MapScales,
    NetworkSpec,
    PictureSpec,
    Threshold,
    TrustCard,
)
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trained_groups import TrainedGroups
from linewarden_vision.trust.suspicion import FEWEST_GOOD


def teach(sets: TeachingSets, settings: TeachSettings, around: Surroundings) -> Taught:
    """Teach one bundle; the random state of torch is set from the training seed.

    Raises ValueError when the teaching set shares a group with another or lacks good or defective pictures.
    """
    for other in (sets.calibration, sets.thresholds, sets.golden):
        check_apart(sets.teaching.samples, other.samples)
    _check_kinds(sets, settings)
    annotated = sets.teaching if settings.folds else sets.calibration
    bad = [index for index, label in enumerate(annotated.samples.labels) if label.defective]
    if all(annotated.samples[index].mask is None for index in bad):  # before hours are spent on it
        raise ValueError(f"no defective picture of {annotated.name} has a mask; linewarden teach needs none")
    spec = picture_spec(sets.teaching.samples, settings.inputs)
    apart: list[tuple[RegionFeatures, RegionFeatures]] = []

    def gather(fold: DefectNetwork, rest: Samples, held: Samples) -> None:
        apart.append((true_regions(fold, rest, spec), true_regions(fold, held, spec)))

    held_out = score_held_out(sets.teaching.samples, spec, settings, around, gather)
    others = {id(one.samples): len(one.samples) for one in (sets.calibration, sets.thresholds, sets.golden)}
    left = around.in_time(settings.train.budget_s, sum(others.values()))
    last = replace(settings, train=replace(settings.train, budget_s=left))
    network = train_network(sets.teaching.samples, spec, last, around)
    calibrated = score(network, spec, sets.calibration.samples, settings, around.on_progress, "calibrating")
    scored = f"{settings.folds} folds, each scored by a network that never saw it" if settings.folds else "one network"
    fitted_on = sets.teaching if held_out else sets.calibration
    source = source_of(settings, fitted_on, f"good against defective, {scored}")
    choice = choose(held_out, settings.trust, overkill=settings.overkill, diverted=settings.diverted)
    trust = fit_trust(calibrated, choice.recipe, source, held_out)
    same = sets.thresholds is sets.calibration
    limits = (
        calibrated
        if same
        else score(network, spec, sets.thresholds.samples, settings, around.on_progress, "setting thresholds")
    )
    mask = mask_limits(held_out or [calibrated], settings, fitted_on)
    thresholds = thresholds_of(settings, sets.thresholds, limits, trust, mask)
    card = card_of(settings, spec, trust, thresholds, held_out or [calibrated])
    seen = [sets.teaching, sets.calibration, sets.thresholds]
    made_by = TrainedGroups.of(_used_groups(seen, goods_only=bool(held_out)))
    classes, untold = _classes(network, spec, sets, settings, apart)
    inspector = Inspector(card, network)
    try:
        golden = choose_golden(inspector, sets.golden.samples)
    except ValueError:  # golden pictures prove equality, not quality: what was taught may help out
        every = Joined([sets.golden.samples, sets.teaching.samples])
        golden = choose_golden(inspector, every, complete=False)
    notes = [f"suspicion: {choice}", *untold, *(f"the golden set holds no {kind}" for kind in lacking(golden))]
    card = card.model_copy(update={"notes": notes})
    return Taught(card, network, golden, {**made_by.to_files(), **classes}, held_out)


def _classes(
    network: DefectNetwork,
    spec: PictureSpec,
    sets: TeachingSets,
    settings: TeachSettings,
    apart: list[tuple[RegionFeatures, RegionFeatures]],
) -> tuple[dict[str, bytes], list[str]]:
    """The bundle's file that tells classes of regions, and a note where there is none.

    Confusion is told on the folds' held-out groups; without folds on the calibration set's.
    """
    taught = true_regions(network, sets.teaching.samples, spec)
    pairs = apart or [(taught, true_regions(network, sets.calibration.samples, spec))]
    why = too_few(taught, [held for _, held in pairs])
    if why is not None:
        return {}, [f"no class of defects is told: {why}"]
    how = "true regions of groups that neither network nor classes saw: "
    how += f"{settings.folds} folds" if apart else sets.calibration.name
    return teach_classes(taught, pairs, how, source_of(settings, sets.teaching, how)).to_files(), []


def _check_kinds(sets: TeachingSets, settings: TeachSettings) -> None:
    """Refuse a side without good or defective pictures, and folds that would leave one, before the first step."""
    _check_side(sets.teaching.name, sets.teaching.samples, 1, 1)
    _check_side(sets.calibration.name, sets.calibration.samples, FEWEST_GOOD, 0 if settings.folds else 1)
    _check_side(sets.thresholds.name, sets.thresholds.samples, 1, 0)
    for rest, held in split_folds(sets.teaching.samples, settings.folds, settings.train.seed) if settings.folds else ():
        _check_side(f"what a fold of {sets.teaching.name} leaves", rest, 1, 1)
        _check_side(f"a fold of {sets.teaching.name}", held, FEWEST_GOOD, 1)


def _check_side(name: str, samples: Samples, fewest_good: int, fewest_bad: int) -> None:
    tainted = {label.judged for label in samples.labels if label.defective}
    good = sum(label.judged not in tainted for label in samples.labels)
    bad = sum(label.defective for label in samples.labels)
    if good < fewest_good or bad < fewest_bad:
        raise ValueError(
            f"{name} holds {good} good and {bad} defective pictures; {fewest_good} and {fewest_bad} are needed: "
            "give more, other sides, or --folds 0"
        )


def _used_groups(sets: list[NamedSamples], *, goods_only: bool) -> list[str]:
    """List the groups that decide anything.

    Where training groups gave the logistic, calibration's groups without a good part don't: normalisers and
    thresholds leave them out as a whole.
    """
    teaching, *others = sets
    used = [label.group for label in teaching.samples.labels]
    for named in others:
        tainted = {label.judged for label in named.samples.labels if label.defective}
        used += [label.group for label in named.samples.labels if not (goods_only and label.judged in tainted)]
    return used


def source_of(settings: TeachSettings, named: NamedSamples, point: str) -> CalibrationProvenance:
    """Say where a number comes from; n counts groups, not pictures."""
    return CalibrationProvenance(
        set_digest=digest_of(named.samples),
        set_name=named.name,
        n=len({label.group for label in named.samples.labels}),
        curve_point=point,
        date=settings.date,
    )


def mask_limits(
    scores: list[RawScores], settings: TeachSettings, named: NamedSamples
) -> tuple[Threshold, float | None]:
    """Take the mask threshold and the peak of its regions with the best Seg_mIoU over all annotated pictures."""
    counted = [part.masks for part in scores if part.masks is not None]
    point, quality, count = choose_mask_point(MaskCounts.stack(counted))
    source = source_of(settings, named, f"best Seg_mIoU {quality:.3f} of {count} pictures")
    return Threshold(value=point.threshold, provenance=source), point.peak


def thresholds_of(
    settings: TeachSettings,
    named: NamedSamples,
    scores: RawScores,
    trust: TrustCard,
    mask: tuple[Threshold, float | None],
) -> BundleThresholds:
    """Set both limits on good parts alone; suspicion on those that the first one passes."""
    margins = worst_of_parts(scores.margin, scores.groups, scores.good)
    reject = defect_threshold(margins, settings.overkill)
    suspicion = worst_of_parts(suspicion_of(scores, trust.build()), scores.groups, scores.good)
    divert = suspicion_threshold(suspicion[margins <= reject], settings.diverted)
    overkill = source_of(settings, named, f"overkill_rate_of_good {settings.overkill:.1%}")
    diverted = source_of(settings, named, f"diverted share of passed good parts {settings.diverted:.1%}")
    return BundleThresholds(
        defect=Threshold(value=reject, provenance=overkill),
        suspicion=Threshold(value=divert, provenance=diverted),
        mask=mask[0],
        mask_peak=mask[1],
    )


def card_of(
    settings: TeachSettings, spec: PictureSpec, trust: TrustCard, thresholds: BundleThresholds, scored: list[RawScores]
) -> Card:
    """Write the card of a bundle that is taught and nothing more: no promotion, no qualification."""
    return Card(
        name=settings.name,
        stage="taught",
        created=settings.date,
        code_version=settings.code_version,
        network=NetworkSpec(name=settings.network, encoder=settings.encoder, tap_channels=64),
        picture=spec,
        class_names=sorted({label.defect_class for part in scored for label in part.labels if label.defective}),
        thresholds=thresholds,
        trust=trust,
        map_scales=MapScales(
            class_specific=full_scale([part.defect_map_peak[part.defective] for part in scored]),
            class_agnostic=full_scale([part.agnostic_map_peak[part.defective] for part in scored]),
        ),
        notes=[],
    )


def full_scale(peaks: list[Values]) -> float:
    """Return where a map saturates, so that one defective picture in ten does; blank maps still have a scale."""
    return max(float(np.quantile(np.concatenate(peaks), 0.9)), 1e-3)
