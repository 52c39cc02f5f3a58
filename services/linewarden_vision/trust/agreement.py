"""Agreement of two maps: IoU of their top shares, and a soft IoU, batched.

A map with a value that is not finite has no agreement: the result is not a number, which the
normaliser takes as infinitely rare, so that a broken map diverts.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from linewarden_vision.trust.maps import ActivationMaps, AgnosticVariant
from linewarden_vision.trust.scores import TrustScore

if TYPE_CHECKING:
    from linewarden_vision.network.interface import NetworkOutput

Measure = Callable[[ActivationMaps], Tensor]
TOP_SHARE = 0.10


def top_set(values: Tensor, share: float = TOP_SHARE) -> Tensor:
    """Return {x > 0 and x >= its k-th largest} of every map (..., h, w), bool, k = max(1, ceil(share * h * w)).

    Ties are all kept; a map with fewer than k positive cells gives fewer.
    """
    flat = values.flatten(-2)
    count = max(1, math.ceil(share * flat.shape[-1]))
    kth = flat.topk(count, dim=-1).values[..., -1:]
    return ((flat > 0) & (flat >= kth)).view_as(values)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the IoU (...) of two sets (..., h, w) bool; 0 if either is empty."""
    both = (first & second).sum((-2, -1))
    either = (first | second).sum((-2, -1))
    return both / either.clamp(min=1)


def soft_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return sum of minima over sum of maxima per sample (B,); 0 if both are blank."""
    low = torch.minimum(first, second).flatten(1).sum(1)
    high = torch.maximum(first, second).flatten(1).sum(1)
    return torch.where(high > 0, low / torch.where(high > 0, high, torch.ones_like(high)), 0.0)


def agreement_difference(maps: ActivationMaps, share: float = TOP_SHARE) -> Tensor:
    """Return s = IoU(defect, agnostic) - IoU(normal, agnostic) in [-1, 1]; high is suspicious.

    After arXiv 2604.19206: where an OK is a miss, what the network looks at agrees with its map
    of "defect" rather than with its map of "normal". A reconstruction from the abstract.
    """
    specific = iou(*_top_sets(maps, share))
    return _known(specific[0] - specific[1], maps)


def normal_disagreement(maps: ActivationMaps, share: float = TOP_SHARE) -> Tensor:
    """Return the variant R1 = 1 - IoU(normal, agnostic)."""
    return _known(1 - iou(*_top_sets(maps, share))[1], maps)


def _top_sets(maps: ActivationMaps, share: float) -> tuple[Tensor, Tensor]:
    """Return the top sets of both class-specific maps, defect first (2, B, h, w), and of the class-agnostic one."""
    sets = top_set(torch.stack([maps.defect, maps.normal, maps.agnostic]), share)
    return sets[:2], sets[2]


def soft_agreement_difference(maps: ActivationMaps) -> Tensor:
    """Return s with soft IoUs; the class maps are first brought to the agnostic map's mass.

    v·F and a sum of squares have different units: without a common mass the smaller one decides.
    """
    return plain_soft_difference(
        ActivationMaps(_to_mass(maps.defect, maps.agnostic), _to_mass(maps.normal, maps.agnostic), maps.agnostic)
    )


def plain_soft_difference(maps: ActivationMaps) -> Tensor:
    """Return s with soft IoUs of the maps as they are."""
    return _known(soft_iou(maps.defect, maps.agnostic) - soft_iou(maps.normal, maps.agnostic), maps)


def _to_mass(values: Tensor, reference: Tensor) -> Tensor:
    mass = values.flatten(1).sum(1)
    factor = torch.where(mass > 0, reference.flatten(1).sum(1) / torch.where(mass > 0, mass, 1.0), 0.0)
    return values * factor[:, None, None]


def _known(value: Tensor, maps: ActivationMaps) -> Tensor:
    mass = (maps.defect + maps.normal + maps.agnostic).flatten(1).sum(1)
    return torch.where(mass.isfinite(), value, torch.nan)


MEASURES: Mapping[str, Measure] = {
    "agreement": agreement_difference,
    "agreement_soft": soft_agreement_difference,
    "agreement_plain_soft": plain_soft_difference,
    "normal_disagreement": normal_disagreement,
}
AGNOSTIC: Mapping[str, AgnosticVariant] = {"": "energy", "_mean": "mean", "_eigen": "eigen", "_fem": "fem"}
"""Agnostic maps by the end of a name; which one an agreement is measured against changes nothing for a person."""
_WORDS: Mapping[str, Mapping[str, str]] = {
    "agreement": {
        "en": "its evidence for a defect lies where it responds most",
        "de": "seine Hinweise auf einen Fehler liegen dort, wo es am stärksten reagiert",
    },
    "agreement_soft": {
        "en": "its evidence for a defect overlaps with where it responds",
        "de": "seine Hinweise auf einen Fehler überdecken sich mit dem, worauf es reagiert",
    },
    "agreement_plain_soft": {
        "en": "its evidence for a defect is strong where it responds",
        "de": "seine Hinweise auf einen Fehler sind stark, wo es reagiert",
    },
    "normal_disagreement": {
        "en": "its evidence for a good part lies elsewhere than where it responds",
        "de": "seine Hinweise auf ein Gutteil liegen anderswo als dort, wo es reagiert",
    },
}


def measure_of(agreement: str) -> tuple[Measure, AgnosticVariant]:
    """Return what an agreement of a plain pass measures, and on which agnostic map; KeyError for another name."""
    return _AGREEMENTS[agreement]


def _measured(output: "NetworkOutput", maps: ActivationMaps, *, measure: Measure, variant: AgnosticVariant) -> Tensor:
    return measure(maps.against(variant, output.tap))


_AGREEMENTS = {
    measure + suffix: (MEASURES[measure], variant) for measure in MEASURES for suffix, variant in AGNOSTIC.items()
}
SCORES = tuple(
    TrustScore(
        measure + suffix, _WORDS[measure], partial(_measured, measure=MEASURES[measure], variant=AGNOSTIC[suffix])
    )
    for measure in MEASURES
    for suffix in AGNOSTIC
)
