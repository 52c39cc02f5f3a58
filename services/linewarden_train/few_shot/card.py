"""The card of a bundle taught from few pictures: thresholds from those left out in turn, and how little that proves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_domain.judgeable import NO_MASKS
from linewarden_domain.rates import rate
from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Samples, digest_of
from linewarden_train.training.bundle import full_scale
from linewarden_train.training.calibration import defect_threshold, frozen, suspicion_threshold
from linewarden_train.training.pretrained import PRETRAINED_ENCODER
from linewarden_vision.card import (
    BundleThresholds,
    CalibrationProvenance,
    Card,
    CheapIngredient,
    LogisticCard,
    MapScales,
    NetworkSpec,
    PictureSpec,
    Threshold,
    TrustCard,
)
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import prepare_picture
from linewarden_vision.stitching import passes
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.suspicion import Normaliser


@dataclass(frozen=True, slots=True)
class FewSettings:
    """Named beforehand; ``most`` is the longest side of the input in pixels, larger pictures shrink to it."""

    name: str
    date: str
    code_version: str
    most: int = 512
    folds: int = 5
    bank: int = 1500
    seed: int = 0
    tap_channels: int = 128
    overkill: float = 0.01
    diverted: float = 0.05
    """Shares of good pictures, as the thresholds promise them."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Margin and novelty (N,) of every picture by what was learnt without it, the truth (N,), and groups (N)."""

    margin: Values
    novelty: Values
    bad: NDArray[np.bool_]
    groups: Sequence[str]

    def rarities(self) -> Values:
        """Return the sum of both rarities (N,) among the good ones."""
        return np.asarray(self._rarity(self.novelty) + self._rarity(self.margin), np.float64)

    def _rarity(self, values: Values) -> Values:
        return Normaliser.fit(values[~self.bad])(values)


@dataclass(frozen=True, slots=True)
class FewCounts:
    """What happened to the pictures left out in turn."""

    good: int
    good_groups: int
    bad: int
    bad_groups: int
    overkill: int
    missed: int
    missed_diverted: int
    good_diverted: int

    @property
    def miss_interval(self) -> tuple[float, float]:
        """The 95 % interval (Clopper-Pearson) of the miss rate, as if every picture were a part of its own."""
        found = rate("missed", self.missed, self.bad)
        return found.low, found.high

    def in_words(self) -> list[str]:
        """Say what was counted, and that it proves little."""
        low, high = self.miss_interval
        proof = "so few prove nothing: every OK is diverted until a promotion"
        joined = f"{self.good_groups} and {self.bad_groups} after near-duplicates were joined"
        interval = f"{low:.0%} to {high:.0%} with 95 % confidence"
        return [
            f"taught from {self.good} good and {self.bad} bad pictures without masks; {joined}",
            f"left out in turn: {self.missed} of {self.bad} bad ones missed ({interval})",
            f"of the missed, {self.missed_diverted} were diverted",
            f"left out in turn: {self.overkill} of {self.good} good ones called NG, {self.good_diverted} diverted",
            f"the thresholds come from these same pictures; {proof}",
            "the projection of the tap saw all good pictures, without labels; no mask was given, so none is shown",
        ]


def make_card(
    network: DefectNetwork, samples: Samples, spec: PictureSpec, held_out: HeldOut, settings: FewSettings
) -> Card:
    """Write the card; suspicion is the plain sum of both rarities, since few pictures cannot weigh them."""
    trust = _trust(samples, held_out, settings)
    thresholds = _thresholds(samples, held_out, settings, trust)
    return Card(
        name=settings.name,
        stage="taught",
        created=settings.date,
        code_version=settings.code_version,
        network=NetworkSpec(name="light", encoder=PRETRAINED_ENCODER, tap_channels=len(network.head.direction)),
        picture=spec,
        class_names=sorted({label.defect_class for label in samples.labels if label.defective}),
        thresholds=thresholds,
        trust=trust,
        map_scales=_map_scales(network, samples, spec, held_out.bad),
        notes=count(held_out, thresholds, trust).in_words(),
    )


def count(held_out: HeldOut, thresholds: BundleThresholds, trust: TrustCard) -> FewCounts:
    """Count what the thresholds do to the pictures that they come from."""
    called = held_out.margin > thresholds.defect.value
    doubted = ~(_suspicion(held_out, trust) < thresholds.suspicion.value) & ~called
    bad, groups = held_out.bad, np.asarray(held_out.groups)
    return FewCounts(
        good=int((~bad).sum()),
        good_groups=len(set(groups[~bad])),
        bad=int(bad.sum()),
        bad_groups=len(set(groups[bad])),
        overkill=int((called & ~bad).sum()),
        missed=int((~called & bad).sum()),
        missed_diverted=int((doubted & bad).sum()),
        good_diverted=int((doubted & ~bad).sum()),
    )


def _trust(samples: Samples, held_out: HeldOut, settings: FewSettings) -> TrustCard:
    good = ~held_out.bad
    knee = float(np.quantile(held_out.rarities()[good], 1 - settings.diverted))
    return TrustCard(
        ingredients=[
            CheapIngredient(name="novelty", good=frozen(held_out.novelty[good])),
            CheapIngredient(name="margin", good=frozen(held_out.margin[good])),
        ],
        logistic=LogisticCard(intercept=-knee, coefficients=[1.0, 1.0]),
        second=None,
        provenance=_source(samples, held_out, settings, "left out in turn; equal weights, none fitted"),
    )


def _suspicion(held_out: HeldOut, trust: TrustCard) -> Values:
    model = trust.build()
    columns = (held_out.novelty, held_out.margin)
    return model.logistic(np.stack([scale(v) for scale, v in zip(model.normalisers, columns, strict=True)], axis=1))


def _thresholds(samples: Samples, held_out: HeldOut, settings: FewSettings, trust: TrustCard) -> BundleThresholds:
    good = held_out.margin[~held_out.bad]
    reject = defect_threshold(good, settings.overkill)
    passed = _suspicion(held_out, trust)[~held_out.bad][good <= reject]
    divert = suspicion_threshold(passed, settings.diverted)

    def limit(value: float, point: str) -> Threshold:
        return Threshold(value=value, provenance=_source(samples, held_out, settings, point))

    return BundleThresholds(
        defect=limit(reject, f"overkill_rate_of_good {settings.overkill:.1%}, good pictures left out in turn"),
        suspicion=limit(divert, f"diverted share of passed good pictures {settings.diverted:.1%}, left out in turn"),
        mask=limit(0.0, NO_MASKS),  # the mask branch answers -3 everywhere
    )


def _source(samples: Samples, held_out: HeldOut, settings: FewSettings, point: str) -> CalibrationProvenance:
    groups = len(set(held_out.groups))
    return CalibrationProvenance(
        set_digest=digest_of(samples), set_name=settings.name, n=groups, curve_point=point, date=settings.date
    )


def _map_scales(network: DefectNetwork, samples: Samples, spec: PictureSpec, bad: NDArray[np.bool_]) -> MapScales:
    """Let one bad picture in ten saturate, as in a trained bundle."""
    peaks = []
    for index in np.flatnonzero(bad).tolist():
        (tiles,) = passes([prepare_picture(samples[index].picture, spec)], 1)
        with torch.inference_mode():
            output = network(to_device(tiles, torch.device("cpu"), spec.mean, spec.std))
            maps = make_maps(output.cells, output.tap)
        peaks.append((float(maps.defect.max()), float(maps.agnostic.max())))
    specific, agnostic = np.asarray(peaks).T
    return MapScales(class_specific=full_scale([specific]), class_agnostic=full_scale([agnostic]))
