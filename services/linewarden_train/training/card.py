"""The card of a taught bundle: thresholds with their provenance, class names, scales of the maps."""

import numpy as np

from linewarden_train.data.digest import digest_of
from linewarden_train.training.calibration import (
    defect_threshold,
    suspicion_of,
    suspicion_threshold,
    worst_of_parts,
)
from linewarden_train.training.masks import MaskCounts, choose_mask_point
from linewarden_train.training.scoring import RawScores, Values
from linewarden_train.training.terms import NamedSamples, TeachSettings
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


def source_of(settings: TeachSettings, named: NamedSamples, point: str) -> Provenance:
    """Say where a number comes from; n counts groups, not pictures."""
    return Provenance(
        set_digest=digest_of(named.samples),
        set_name=named.name,
        n=len({label.group for label in named.samples.labels}),
        curve_point=point,
        date=settings.date,
    )


def fitted_on(settings: TeachSettings) -> str:
    """Say in words whose scores the logistic was fitted on."""
    scored = f"{settings.folds} folds, each scored by a network that never saw it" if settings.folds else "one network"
    return f"good against defective, {scored}"


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
) -> Thresholds:
    """Set both limits on good parts alone; suspicion on those that the first one passes."""
    margins = worst_of_parts(scores.margin, scores.groups, scores.good)
    reject = defect_threshold(margins, settings.overkill)
    suspicion = worst_of_parts(suspicion_of(scores, trust.build()), scores.groups, scores.good)
    divert = suspicion_threshold(suspicion[margins <= reject], settings.diverted)
    overkill = source_of(settings, named, f"overkill_rate_of_good {settings.overkill:.1%}")
    diverted = source_of(settings, named, f"diverted share of passed good parts {settings.diverted:.1%}")
    return Thresholds(
        defect=Threshold(value=reject, provenance=overkill),
        suspicion=Threshold(value=divert, provenance=diverted),
        mask=mask[0],
        mask_peak=mask[1],
    )


def card_of(
    settings: TeachSettings, spec: PictureSpec, trust: TrustCard, thresholds: Thresholds, scored: list[RawScores]
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
            class_specific=_full_scale([part.defect_map_peak[part.defective] for part in scored]),
            class_agnostic=_full_scale([part.agnostic_map_peak[part.defective] for part in scored]),
        ),
        notes=[],
    )


def _full_scale(peaks: list[Values]) -> float:
    """Let one defective picture in ten saturate; a map that is blank throughout still has a scale."""
    return max(float(np.quantile(np.concatenate(peaks), 0.9)), 1e-3)
