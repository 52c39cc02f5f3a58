"""The cascade: a cheap score for every picture, a second look for the doubtful share alone.

Who is doubtful depends on the picture and on frozen thresholds, never on its neighbours in the
batch, so a picture scores the same alone and in company.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linewarden_domain.resampling import Values
from linewarden_vision.network.interface import DefectNetwork, NetworkOutput
from linewarden_vision.trust.enhancement import Enhancement, Response, Source
from linewarden_vision.trust.ingredients import cheap_ingredients, second_ingredients
from linewarden_vision.trust.maps import ActivationMaps, make_maps
from linewarden_vision.trust.suspicion import Logistic, Normaliser


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Ingredients of the second look, and the logistic over the cheap ones followed by these."""

    names: Sequence[str]
    normalisers: Sequence[Normaliser]
    logistic: Logistic
    enhancement: Enhancement
    gate: float
    """Cheap suspicion from which on a picture gets it."""


@dataclass(frozen=True, slots=True)
class TrustModel:
    """Frozen calibration of suspicion; without a second look the cheap score is final."""

    names: Sequence[str]
    normalisers: Sequence[Normaliser]
    logistic: Logistic
    second: SecondLook | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Output and maps on the device; suspicion (B,) and raw ingredients (B, K) on the host.

    Columns follow the cheap names, then those of the second look; an ingredient that was not
    computed for a picture is not a number.
    """

    output: NetworkOutput
    maps: ActivationMaps
    suspicion: Values
    ingredients: Values


def assess(
    network: DefectNetwork,
    pictures: Tensor,
    model: TrustModel,
    *,
    reject_above: float,
    grey_level: float | None = None,
    forward: Callable[[Tensor], NetworkOutput] | None = None,
) -> Assessment:
    """Score normalised pictures (B, C, H, W); those with a margin above ``reject_above`` get no second look.

    ``grey_level`` is 1 / std of the normalisation, needed where the enhancement steps in input space.
    ``forward`` computes the plain pass in place of ``network``, which the second look runs a part of.
    Run it under no_grad or inference_mode. Raises ValueError for a network in train mode.
    """
    if network.training:
        raise ValueError("scoring needs the network in eval mode: call network.eval() first")
    output = (forward or network)(pictures)
    maps = make_maps(output.cells, output.tap)
    cheap = _host(cheap_ingredients(output, maps, model.names))
    rarities = normalise(cheap, model.normalisers)
    suspicion = model.logistic(rarities)
    if model.second is None:
        return Assessment(output, maps, suspicion, cheap)
    extra = np.full((len(cheap), len(model.second.names)), np.nan)
    doubtful = ~(suspicion < model.second.gate) & ~(_host(output.margin) > reject_above)
    chosen = np.flatnonzero(doubtful)
    if chosen.size:
        source = Source(pictures, output.pyramid, grey_level)
        extra[chosen] = _second_look(network, source, output, model.second, chosen)
        both = np.concatenate([rarities[chosen], normalise(extra[chosen], model.second.normalisers)], axis=1)
        suspicion[chosen] = model.second.logistic(both)
    return Assessment(output, maps, suspicion, np.concatenate([cheap, extra], axis=1))


def normalise(values: Values, normalisers: Sequence[Normaliser]) -> Values:
    """Turn raw ingredients (B, K) into rarities (B, K)."""
    columns = [scale(values[:, column]) for column, scale in enumerate(normalisers)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(values), 0))


def _second_look(
    network: DefectNetwork, source: Source, output: NetworkOutput, second: SecondLook, chosen: NDArray[np.intp]
) -> Values:
    before = Response.of(output)
    if chosen.size < len(output.margin):  # a copy of every level is saved where all are doubtful
        picked = torch.from_numpy(chosen).to(output.margin.device)
        source, before = source.select(picked), before.select(picked)
    return _host(second_ingredients(network, source, before, second.names, second.enhancement))


def _host(values: Tensor) -> Values:
    return np.asarray(values.detach().float().cpu().numpy(), np.float64)
