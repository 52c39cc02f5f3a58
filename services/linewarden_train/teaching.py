"""From data sets to a bundle: train, calibrate, set thresholds, choose golden pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from linewarden_train.calibration import (
    TrustRecipe,
    defect_threshold,
    fit_trust,
    suspicion_of,
    suspicion_threshold,
    worst_of_parts,
)
from linewarden_train.checkpoint import Checkpoint
from linewarden_train.choosing import choose
from linewarden_train.crossfit import cross_fit
from linewarden_train.data.digest import digest_of
from linewarden_train.data.groups import Joined, check_apart
from linewarden_train.data.samples import Samples
from linewarden_train.drawing import Normalisation
from linewarden_train.golden import choose_golden, lacking
from linewarden_train.inputs import InputSamples, InputSettings, picture_spec
from linewarden_train.loop import Step, TrainSettings, train
from linewarden_train.masks import MaskCounts, choose_mask_threshold
from linewarden_train.pretrained import load_imagenet
from linewarden_train.scoring import RawScores, Values, score_samples
from linewarden_train.watch import EarlyStop, quality_of, watched_apart
from linewarden_vision.card import (
    Card,
    MapScales,
    NetworkSpec,
    PictureSpec,
    Provenance,
    Threshold,
    Thresholds,
    TrustCard,
)
from linewarden_vision.device import choose_device
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.build import NetworkName, build_network
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trained_groups import TrainedGroups

FOLD_EFFORT = 0.5
_THOUSANDTHS = 1000
OnProgress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""
OnStep = Callable[[str, Step], None]
"""Hears the losses of each training step, with the name of what is trained."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run touches besides its data: a clock (seconds), who hears of it, where it may go on after a stop."""

    clock: Callable[[], float]
    on_progress: OnProgress
    on_step: OnStep = lambda *_: None
    checkpoint: Callable[[str], Checkpoint | None] = lambda _: None
    """The checkpoint of what is trained, by its name; None keeps nothing."""


@dataclass(frozen=True, slots=True)
class NamedSamples:
    """A data set with the name that provenance shows."""

    name: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class TeachingSets:
    """``teaching`` shares no group with the others; ``thresholds`` needs good parts only."""

    teaching: NamedSamples
    calibration: NamedSamples
    thresholds: NamedSamples
    golden: NamedSamples


@dataclass(frozen=True, slots=True)
class TeachSettings:
    """What to teach and what the thresholds promise; shares are of good parts.

    With ``folds`` the logistic and the mask threshold come from out-of-fold scores of the training groups,
    each fold's network trained for ``fold_effort`` of the final one's steps or budget; with 0 they come from
    the calibration set.
    """

    name: str
    date: str
    code_version: str
    encoder: str
    network: NetworkName = "light"
    pretrained: bool = False
    frozen: int = 0
    """Stages of the encoder, from its stem on, that keep their weights."""
    inputs: InputSettings = field(default_factory=InputSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    trust: TrustRecipe = field(default_factory=TrustRecipe)
    folds: int = 0
    fold_effort: float = FOLD_EFFORT
    patience: int | None = None
    """Looks at held-out groups without a gain that end training early; None trains to the end on all groups."""
    device: str = "auto"
    overkill: float = 0.01
    diverted: float = 0.05


@dataclass(frozen=True, slots=True)
class Taught:
    """All that a bundle is made of, and the network itself in eval mode."""

    card: Card
    network: DefectNetwork
    golden: Golden
    extra: Mapping[str, bytes] = field(default_factory=dict)
    """The bundle's optional files."""
    held_out: list[RawScores] = field(default_factory=list)
    """What networks said of groups that they never saw; empty without folds."""

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The network's state."""
        return dict(self.network.state_dict())


def teach(sets: TeachingSets, settings: TeachSettings, around: Surroundings) -> Taught:
    """Teach one bundle; the random state of torch is set from the training seed.

    Raises ValueError when the teaching set shares a group with another or lacks good or defective pictures.
    """
    for other in (sets.calibration, sets.thresholds, sets.golden):
        check_apart(sets.teaching.samples, other.samples)
    _check_annotated(sets.teaching if settings.folds else sets.calibration)
    spec = picture_spec(sets.teaching.samples, settings.inputs)
    held_out = _held_out(sets.teaching.samples, spec, settings, around)
    network = train_network(sets.teaching.samples, spec, settings, around)
    calibrated = score(network, spec, sets.calibration.samples, settings, around.on_progress, "calibrating")
    source = _source(settings, sets.teaching if held_out else sets.calibration, _fitted_on(settings))
    choice = choose(held_out, settings.trust, overkill=settings.overkill, diverted=settings.diverted)
    trust = fit_trust(calibrated, choice.recipe, source, held_out)
    same = sets.thresholds is sets.calibration
    limits = (
        calibrated
        if same
        else score(network, spec, sets.thresholds.samples, settings, around.on_progress, "setting thresholds")
    )
    mask = _mask_threshold(held_out or [calibrated], settings, sets.teaching if held_out else sets.calibration)
    thresholds = _thresholds(settings, sets.thresholds, limits, trust, mask)
    card = _card(settings, spec, trust, thresholds, held_out or [calibrated])
    seen = [sets.teaching, sets.calibration, sets.thresholds]
    made_by = TrainedGroups.of(_used_groups(seen, goods_only=bool(held_out)))
    golden = _golden(Inspector(card, network), sets)
    notes = [f"suspicion: {choice}", *(f"the golden set holds no {kind}" for kind in lacking(golden))]
    card = card.model_copy(update={"notes": notes})
    return Taught(card, network, golden, made_by.to_files(), held_out)


def _check_annotated(named: NamedSamples) -> None:
    """Refuse a set without any mask before hours are spent on it."""
    samples = named.samples
    bad = [index for index, label in enumerate(samples.labels) if label.defective]
    if all(samples[index].mask is None for index in bad):
        raise ValueError(f"no defective picture of {named.name} has a mask; linewarden teach needs none")


def train_network(
    samples: Samples, spec: PictureSpec, settings: TeachSettings, around: Surroundings, text: str = "training"
) -> DefectNetwork:
    """Build and train one network on the CUDA device that is there, or the CPU; returns it on the CPU in eval mode.

    With ``patience`` a share of the groups is held out to watch, and not trained on.
    """
    torch.manual_seed(settings.train.seed)
    network = build_network(settings.network, settings.encoder, spec.channels)
    if settings.pretrained:
        load_imagenet(network.backbone, spec.channels)
        network.hold_statistics()
    network.freeze(settings.frozen)
    network.to(memory_format=torch.channels_last).to(choose_device(settings.device))
    early_stop, kept = None, samples
    if settings.patience is not None:
        kept, watched = watched_apart(samples, settings.train.seed)
        early_stop = EarlyStop(partial(quality_of, samples=watched, spec=spec), patience=settings.patience)

    def show(step: Step) -> None:
        around.on_step(text, step)
        around.on_progress(text, round(_THOUSANDTHS * step.done), _THOUSANDTHS)

    train(
        network,
        InputSamples(kept, spec),
        Normalisation(spec.mean, spec.std),
        settings.train.fitting(spec.height, spec.width),
        clock=around.clock,
        on_step=show,
        checkpoint=around.checkpoint(text),
        early_stop=early_stop,
    )
    around.on_progress(text, _THOUSANDTHS, _THOUSANDTHS)
    return network.to("cpu")


def _held_out(samples: Samples, spec: PictureSpec, settings: TeachSettings, around: Surroundings) -> list[RawScores]:
    """Score the training groups out of fold, each fold's network trained for a share of the effort."""
    if not settings.folds:
        return []
    part = replace(settings, train=settings.train.shortened(settings.fold_effort))
    scored = 0

    def count(more: int) -> None:
        nonlocal scored
        scored += more
        around.on_progress("scoring out of fold", scored, len(samples))

    def train_one(rest: Samples, number: int) -> DefectNetwork:
        return train_network(rest, spec, part, around, f"fold {number + 1} of {settings.folds}")

    folds = cross_fit(
        samples,
        spec,
        train_one,
        folds=settings.folds,
        seed=settings.train.seed,
        epsilon=settings.trust.epsilon,
        on_scored=count,
    )
    return [fold.scores for fold in folds]


def score(
    network: DefectNetwork,
    spec: PictureSpec,
    samples: Samples,
    settings: TeachSettings,
    on_progress: OnProgress,
    text: str,
) -> RawScores:
    """Score samples with every ingredient, telling the progress."""
    done = 0

    def count(scored: int) -> None:
        nonlocal done
        done += scored
        on_progress(text, done, len(samples))

    return score_samples(network, samples, spec, epsilon=settings.trust.epsilon, on_batch=count)


def _golden(inspector: Inspector, sets: TeachingSets) -> Golden:
    """Choose from the golden set, or else from it and the teaching set: golden pictures prove equality, not quality."""
    try:
        return choose_golden(inspector, sets.golden.samples)
    except ValueError:
        return choose_golden(inspector, Joined([sets.golden.samples, sets.teaching.samples]), complete=False)


def _source(settings: TeachSettings, named: NamedSamples, point: str) -> Provenance:
    return Provenance(
        set_digest=digest_of(named.samples),
        set_name=named.name,
        n=len({label.group for label in named.samples.labels}),
        curve_point=point,
        date=settings.date,
    )


def _fitted_on(settings: TeachSettings) -> str:
    scored = f"{settings.folds} folds, each scored by a network that never saw it" if settings.folds else "one network"
    return f"good against defective, {scored}"


def _used_groups(sets: list[NamedSamples], *, goods_only: bool) -> list[str]:
    """List the groups that decide anything.

    Where training groups gave the logistic, calibration's groups with any defect don't: normalisers and
    thresholds leave such a group out as a whole.
    """
    teaching, *others = sets
    used = [label.group for label in teaching.samples.labels]
    for named in others:
        tainted = {label.group for label in named.samples.labels if label.defective}
        used += [label.group for label in named.samples.labels if not (goods_only and label.group in tainted)]
    return used


def _mask_threshold(scores: list[RawScores], settings: TeachSettings, named: NamedSamples) -> Threshold:
    counted = [part.masks for part in scores if part.masks is not None]
    value, quality, count = choose_mask_threshold(MaskCounts.stack(counted))
    return Threshold(
        value=value, provenance=_source(settings, named, f"best Seg_mIoU {quality:.3f} of {count} pictures")
    )


def _thresholds(
    settings: TeachSettings, named: NamedSamples, scores: RawScores, trust: TrustCard, mask: Threshold
) -> Thresholds:
    """Set both limits on good parts alone; suspicion on those that the first one passes."""
    margins = worst_of_parts(scores.margin, scores.groups, scores.good)
    reject = defect_threshold(margins, settings.overkill)
    suspicion = worst_of_parts(suspicion_of(scores, trust.build()), scores.groups, scores.good)
    divert = suspicion_threshold(suspicion[margins <= reject], settings.diverted)
    overkill = _source(settings, named, f"overkill_rate_of_good {settings.overkill:.1%}")
    diverted = _source(settings, named, f"diverted share of passed good parts {settings.diverted:.1%}")
    return Thresholds(
        defect=Threshold(value=reject, provenance=overkill),
        suspicion=Threshold(value=divert, provenance=diverted),
        mask=mask,
    )


def _card(
    settings: TeachSettings, spec: PictureSpec, trust: TrustCard, thresholds: Thresholds, scored: list[RawScores]
) -> Card:
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
            class_specific=_full_scale([part.defect_map_peak[part.defective] for part in scored]),
            class_agnostic=_full_scale([part.agnostic_map_peak[part.defective] for part in scored]),
        ),
        notes=[],
    )


def _full_scale(peaks: list[Values]) -> float:
    """Let one defective picture in ten saturate; a map that is blank throughout still has a scale."""
    return max(float(np.quantile(np.concatenate(peaks), 0.9)), 1e-3)
