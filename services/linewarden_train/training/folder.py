"""From a folder of pictures to a bundle: what ``linewarden train`` does, without the terminal."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from linewarden_train.data.samples import Samples
from linewarden_train.data.sides import Sides
from linewarden_train.training.augment import Augment
from linewarden_train.training.balance import BalanceName
from linewarden_train.training.bundle import teach
from linewarden_train.training.calibration import TrustRecipe
from linewarden_train.training.drawing import DrawSettings
from linewarden_train.training.inputs import InputSettings
from linewarden_train.training.loop import TrainSettings
from linewarden_train.training.losses import LossWeights
from linewarden_train.training.masks import GRID, MaskCounts, MaskPoint
from linewarden_train.training.pretrained import PRETRAINED_ENCODER
from linewarden_train.training.scoring import RawScores
from linewarden_train.training.terms import (
    NamedSamples,
    Surroundings,
    Taught,
    TeachingSets,
    TeachSettings,
)
from linewarden_vision.network.build import NetworkName

Tasks = Literal["both", "classification", "segmentation"]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What a person decides about a training; everything else follows from the set."""

    name: str
    date: str
    code_version: str
    network: NetworkName = "light"
    encoder: str = PRETRAINED_ENCODER
    pretrained: bool = True
    frozen: int = 2
    scale: float = 1.0
    levels: float | None = None
    window: int = 160
    steps: int = 4000
    budget_s: float | None = None
    """Seconds for everything, folds and scoring included; then ``steps`` says nothing."""
    folds: int = 2
    tasks: Tasks = "both"
    balance: BalanceName = "fixed"
    patience: int | None = None
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    overkill: float = 0.01
    diverted: float = 0.05
    scores: tuple[str, ...] = ()
    """Trust scores named beforehand, in place of those that a recipe has of its own."""


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What the training says about itself, out of fold; None where there were no folds or no masks."""

    train_pictures: int
    train_groups: int
    calibration_groups: int
    image_ap: float | None
    seg_mean_iou: float | None
    iou_by_class: dict[str, float] = field(default_factory=dict)


def train_folder(sides: Sides, options: TrainOptions, around: Surroundings) -> tuple[Taught, TrainingSummary]:
    """Train on one side, calibrate on another and touch nothing of the third.

    Raises ValueError for a set that lacks good or defective pictures on a side.
    """
    sets = TeachingSets(
        teaching=NamedSamples("train", sides.train),
        calibration=(calibration := NamedSamples("calibration", sides.calibration)),
        thresholds=calibration,
        golden=calibration,
    )
    if around.ends_at is not None:  # pictures were read and looked through on the same budget
        options = replace(options, budget_s=max(1.0, around.ends_at - around.clock()))
    taught = teach(sets, settings_of(options), around)
    counts = [part.masks for part in taught.held_out if part.masks is not None]
    limits = taught.card.thresholds
    row = GRID.index(MaskPoint(limits.mask.value, limits.mask_peak))
    return taught, TrainingSummary(
        train_pictures=len(sides.train),
        train_groups=len({label.group for label in sides.train.labels}),
        calibration_groups=len({label.group for label in sides.calibration.labels}),
        image_ap=float(np.mean([part.image_ap for part in taught.held_out])) if taught.held_out else None,
        seg_mean_iou=float(MaskCounts.stack(counts).seg_mean_iou()[row]) if counts else None,
        iou_by_class=_by_class(taught.held_out, row),
    )


def settings_of(options: TrainOptions) -> TeachSettings:
    """Spell out the settings; a budget is dealt to folds and final training by their effort."""
    budget, fold_effort = options.budget_s, 0.5
    # of a budget, 12 % are for scoring what was trained
    own = None if budget is None else budget * (1 - 0.12) / (1 + options.folds * fold_effort)
    light = Augment(quarter_turns=True, turn=6, zoom=1.1, gain=0.15, offset=12, gamma=0.15, shade=15, noise=3)
    classified, marked = options.tasks != "segmentation", options.tasks != "classification"
    return TeachSettings(
        name=options.name,
        date=options.date,
        code_version=options.code_version,
        encoder=options.encoder,
        network=options.network,
        pretrained=options.pretrained,
        frozen=options.frozen,
        inputs=InputSettings(scale=options.scale, levels=options.levels),
        train=TrainSettings(
            steps=options.steps if own is None else 10**9,
            learning_rate=1.5e-3,
            encoder_rate=0.2 if options.pretrained else 1.0,
            encoder_from=0.3 if options.pretrained else 0.0,
            seed=options.seed,
            budget_s=own,
            balance=options.balance,
            draw=DrawSettings(whole=4, side=options.window, windows=8, window_share=0.6, paste=0.3, augment=light),
            # for the ablation one task is switched off; the guide belongs to the mask's supervision
            weights=LossWeights(
                classification=float(classified), mask=float(marked), guide=float(classified and marked)
            ),
        ),
        trust=TrustRecipe.of(options.scores) if options.scores else TrustRecipe(),
        folds=options.folds,
        fold_effort=fold_effort,
        patience=options.patience,
        device=options.device,
        overkill=options.overkill,
        diverted=options.diverted,
    )


def fingerprint(options: TrainOptions, samples: Samples) -> str:
    """Tell runs apart: what decides among the options, and the labels of every picture, by name."""
    deciding = replace(options, name="", date="", code_version="")
    text = repr((deciding, [(label.name, label.group, label.defect_class) for label in samples.labels]))
    return hashlib.sha256(text.encode()).hexdigest()


def _by_class(parts: Sequence[RawScores], row: int) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for part in parts:
        if part.masks is None:
            continue
        both, predicted, target = part.masks.both[:, row], part.masks.predicted[:, row], part.masks.target
        for index in map(int, np.flatnonzero(part.defective & (target > 0))):
            either = predicted[index] + target[index] - both[index]
            values.setdefault(part.labels[index].defect_class, []).append(both[index] / either)
    return {name: float(np.mean(found)) for name, found in sorted(values.items())}
