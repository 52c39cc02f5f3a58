"""From data sets to a bundle: teach, calibrate, set thresholds, choose golden pictures."""

from collections.abc import Callable
from dataclasses import dataclass, field

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
from linewarden_train.data.digest import digest_of
from linewarden_train.data.groups import check_apart
from linewarden_train.data.samples import Samples
from linewarden_train.drawing import Normalisation
from linewarden_train.golden import choose_golden
from linewarden_train.loop import Step, TrainSettings, train
from linewarden_train.masks import choose_mask_threshold
from linewarden_train.scoring import RawScores, Values, score_samples
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
from linewarden_vision.golden import Golden
from linewarden_vision.inspector import Inspector
from linewarden_vision.network.build import NetworkName, build_network
from linewarden_vision.network.interface import DefectNetwork

OnProgress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class NamedSamples:
    """A data set with the name that provenance shows."""

    name: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class TeachingSets:
    """Four sets without a group in common; ``thresholds`` needs good parts only."""

    teaching: NamedSamples
    calibration: NamedSamples
    thresholds: NamedSamples
    golden: NamedSamples


@dataclass(frozen=True, slots=True)
class TeachSettings:
    """What to teach and what the thresholds promise; shares are of good parts."""

    name: str
    date: str
    code_version: str
    encoder: str
    network: NetworkName = "light"
    train: TrainSettings = field(default_factory=TrainSettings)
    trust: TrustRecipe = field(default_factory=TrustRecipe)
    overkill: float = 0.01
    diverted: float = 0.05


@dataclass(frozen=True, slots=True)
class Taught:
    """All that a bundle is made of, and the network itself in eval mode."""

    card: Card
    network: DefectNetwork
    golden: Golden

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The network's state."""
        return dict(self.network.state_dict())


def teach(
    sets: TeachingSets, settings: TeachSettings, *, clock: Callable[[], float], on_progress: OnProgress
) -> Taught:
    """Teach one bundle on the CPU; the random state of torch is set from the training seed.

    All pictures of the teaching set have one size, divisible by 32. Raises ValueError when sets share
    a group or lack good or defective pictures.
    """
    _check_apart(sets)
    torch.manual_seed(settings.train.seed)
    spec = picture_spec(sets.teaching.samples)
    network = _train(sets.teaching.samples, spec, settings, clock, on_progress)
    calibrated = score(network, spec, sets.calibration.samples, settings, on_progress, "calibrating")
    trust = fit_trust(calibrated, settings.trust, _source(settings, sets.calibration, "good against defective"))
    limits = score(network, spec, sets.thresholds.samples, settings, on_progress, "setting thresholds")
    mask = _mask_threshold(network, spec, settings, sets.calibration)
    thresholds = _thresholds(settings, sets.thresholds, limits, trust, mask)
    card = _card(settings, spec, trust, thresholds, calibrated)
    return Taught(card, network, choose_golden(Inspector(card, network), sets.golden.samples))


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


def picture_spec(samples: Samples) -> PictureSpec:
    """Normalise by the set's own grey levels; exposure limits lie well outside what it holds."""
    pictures = [samples[index].picture for index in range(len(samples))]
    means = np.asarray([picture.mean() for picture in pictures])
    deviations = np.asarray([picture.std() for picture in pictures])
    first = pictures[0]
    return PictureSpec(
        height=first.shape[0],
        width=first.shape[1],
        channels=1 if first.ndim == 2 else 3,
        mean=round(float(means.mean()), 2),
        std=round(max(1.0, float(deviations.mean())), 2),
        brightness=(round(float(means.min()) * 0.6, 1), round(min(250.0, float(means.max()) * 1.4), 1)),
        contrast=(round(float(deviations.min()) * 0.5, 1), round(float(deviations.max()) * 1.5, 1)),
    )


def _check_apart(sets: TeachingSets) -> None:
    every = [sets.teaching, sets.calibration, sets.thresholds, sets.golden]
    for index, first in enumerate(every):
        for second in every[:index]:
            check_apart(first.samples, second.samples)


def _train(
    samples: Samples,
    spec: PictureSpec,
    settings: TeachSettings,
    clock: Callable[[], float],
    on_progress: OnProgress,
) -> DefectNetwork:
    network = build_network(settings.network, settings.encoder, spec.channels)
    network.to(memory_format=torch.channels_last)

    def show(step: Step) -> None:
        on_progress("teaching", step.number, step.steps)

    train(network, samples, Normalisation(spec.mean, spec.std), settings.train, clock=clock, on_step=show)
    return network


def _source(settings: TeachSettings, named: NamedSamples, point: str) -> Provenance:
    return Provenance(
        set_digest=digest_of(named.samples),
        set_name=named.name,
        n=len({label.group for label in named.samples.labels}),
        curve_point=point,
        date=settings.date,
    )


def _mask_threshold(
    network: DefectNetwork, spec: PictureSpec, settings: TeachSettings, named: NamedSamples
) -> Threshold:
    value, overlap, count = choose_mask_threshold(network, named.samples, spec)
    point = f"best mean IoU {overlap:.3f} of {count} defective pictures"
    return Threshold(value=value, provenance=_source(settings, named, point))


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
    settings: TeachSettings, spec: PictureSpec, trust: TrustCard, thresholds: Thresholds, scores: RawScores
) -> Card:
    return Card(
        name=settings.name,
        stage="taught",
        created=settings.date,
        code_version=settings.code_version,
        network=NetworkSpec(name=settings.network, encoder=settings.encoder, tap_channels=64),
        picture=spec,
        class_names=sorted({label.defect_class for label in scores.labels if label.defective}),
        thresholds=thresholds,
        trust=trust,
        map_scales=MapScales(
            class_specific=_full_scale(scores.defect_map_peak[scores.defective]),
            class_agnostic=_full_scale(scores.agnostic_map_peak[scores.defective]),
        ),
        notes=[],
    )


def _full_scale(peaks: Values) -> float:
    """Let one defective picture in ten saturate; a map that is blank throughout still has a scale."""
    return max(float(np.quantile(peaks, 0.9)), 1e-3)
