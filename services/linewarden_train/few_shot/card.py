"""The card of a bundle taught from few pictures: thresholds from those left out in turn, and how little that proves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_domain.judgeable import NO_MASKS
from linewarden_domain.rates import rate
from linewarden_train.data.digest import digest_of
from linewarden_train.data.samples import Samples
from linewarden_train.training.calibration import defect_threshold, suspicion_threshold
from linewarden_train.training.pretrained import PRETRAINED_ENCODER
from linewarden_vision.card import (
    Card,
    CheapIngredient,
    LogisticCard,
    MapScales,
    NetworkSpec,
    PictureSpec,
    Provenance,
    Threshold,
    Thresholds,
    TrustCard,
)
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import prepare_picture
from linewarden_vision.stitching import passes
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.normaliser import Normaliser

Values = NDArray[np.float64]
OVERKILL = 0.01
DIVERTED = 0.05
_MASK_NEVER = 0.0  # the mask branch answers -3 everywhere


class Named(Protocol):
    """What the card repeats of the settings."""

    @property
    def name(self) -> str:
        """Name of the bundle."""

    @property
    def date(self) -> str:
        """Day, YYYY-MM-DD."""

    @property
    def code_version(self) -> str:
        """Version of the code."""


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


def make_card(network: DefectNetwork, samples: Samples, spec: PictureSpec, held_out: HeldOut, settings: Named) -> Card:
    """Write the card; suspicion is the plain sum of both rarities, since few pictures cannot weigh them."""
    trust = _trust(held_out, _source(samples, held_out, settings, "left out in turn; equal weights, none fitted"))
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
        notes=in_words(count(held_out, thresholds, trust)),
    )


def count(held_out: HeldOut, thresholds: Thresholds, trust: TrustCard) -> FewCounts:
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


def in_words(counts: FewCounts) -> list[str]:
    """Say what was counted, and that it proves little."""
    low, high = counts.miss_interval
    joined = f"{counts.good_groups} and {counts.bad_groups} after near-duplicates were joined"
    interval = f"{low:.0%} to {high:.0%} with 95 % confidence"
    return [
        f"taught from {counts.good} good and {counts.bad} bad pictures without masks; {joined}",
        f"left out in turn: {counts.missed} of {counts.bad} bad ones missed ({interval})",
        f"of the missed, {counts.missed_diverted} were diverted",
        f"left out in turn: {counts.overkill} of {counts.good} good ones called NG, {counts.good_diverted} diverted",
        "the thresholds come from these same pictures; so few prove nothing: every OK is diverted until a promotion",
        "the projection of the tap saw all good pictures, without labels; no mask was given, so none is shown",
    ]


def _trust(held_out: HeldOut, source: Provenance) -> TrustCard:
    good = ~held_out.bad
    knee = float(np.quantile(held_out.rarities()[good], 1 - DIVERTED))
    return TrustCard(
        ingredients=[
            CheapIngredient(name="novelty", good=_frozen(held_out.novelty[good])),
            CheapIngredient(name="margin", good=_frozen(held_out.margin[good])),
        ],
        logistic=LogisticCard(intercept=-knee, coefficients=[1.0, 1.0]),
        second=None,
        provenance=source,
    )


def _suspicion(held_out: HeldOut, trust: TrustCard) -> Values:
    model = trust.build()
    columns = (held_out.novelty, held_out.margin)
    return model.logistic(np.stack([scale(v) for scale, v in zip(model.normalisers, columns, strict=True)], axis=1))


def _thresholds(samples: Samples, held_out: HeldOut, settings: Named, trust: TrustCard) -> Thresholds:
    good = held_out.margin[~held_out.bad]
    reject = defect_threshold(good, OVERKILL)
    passed = _suspicion(held_out, trust)[~held_out.bad][good <= reject]
    divert = suspicion_threshold(passed, DIVERTED)

    def limit(value: float, point: str) -> Threshold:
        return Threshold(value=value, provenance=_source(samples, held_out, settings, point))

    return Thresholds(
        defect=limit(reject, f"overkill_rate_of_good {OVERKILL:.1%}, good pictures left out in turn"),
        suspicion=limit(divert, f"diverted share of passed good pictures {DIVERTED:.1%}, left out in turn"),
        mask=limit(_MASK_NEVER, NO_MASKS),
    )


def _source(samples: Samples, held_out: HeldOut, settings: Named, point: str) -> Provenance:
    groups = len(set(held_out.groups))
    return Provenance(
        set_digest=digest_of(samples), set_name=settings.name, n=groups, curve_point=point, date=settings.date
    )


def _frozen(values: Values) -> list[float]:
    return sorted(float(f"{value:.6g}") for value in values)


def _map_scales(network: DefectNetwork, samples: Samples, spec: PictureSpec, bad: NDArray[np.bool_]) -> MapScales:
    """Let one bad picture in ten saturate, as in a trained bundle."""
    peaks = []
    for index in np.flatnonzero(bad).tolist():
        (tiles,) = passes([prepare_picture(samples[index].picture, spec)], 1)
        with torch.inference_mode():
            output = network(to_device(tiles, torch.device("cpu"), spec.mean, spec.std))
            maps = make_maps(output.cells, output.tap)
        peaks.append((float(maps.defect.max()), float(maps.agnostic.max())))
    specific, agnostic = np.quantile(np.asarray(peaks), 0.9, axis=0).tolist()
    return MapScales(class_specific=max(specific, 1e-3), class_agnostic=max(agnostic, 1e-3))
