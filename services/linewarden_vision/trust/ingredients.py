"""Named scores of a batch, each a (B,) column, high is suspicious; what is not named is not computed."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linewarden_vision.errors import TrustScoreError
from linewarden_vision.network.interface import NetworkOutput, SteppedNetwork
from linewarden_vision.trust.enhancement import Enhancement, Response, Source
from linewarden_vision.trust.maps import ActivationMaps
from linewarden_vision.trust.registry import find, find_cheap, find_second, origin
from linewarden_vision.trust.scores import TrustScore
from linewarden_vision.trust.second_look import SecondPass


def cheap_ingredients(output: NetworkOutput, maps: ActivationMaps, names: Sequence[str]) -> Tensor:
    """Stack the named scores of one pass, (B, len(names)) float32; a value that is not finite is not a number.

    ``maps`` are those of the energy. Raises TrustScoreError for a name that is none and for a score that gives
    something else than one value a picture, ValueError for novelty of a network without a bank.
    """
    return _stack({name: find_cheap(name).measure(output, maps) for name in names}, names, output.margin)


def second_ingredients(
    network: SteppedNetwork, source: Source, before: Response, names: Sequence[str], enhancement: Enhancement
) -> Tensor:
    """Stack the named scores of a second look, (B, len(names)) float32; what no name needs is not run.

    ``before`` is the plain pass of the same pictures. Raises ValueError for a network in train mode, TrustScoreError
    as ``cheap_ingredients``.
    """
    again = SecondPass(network, source, before, enhancement)
    return _stack({name: find_second(name).measure(again) for name in names}, names, before.margin)


def named_ingredients(
    network: SteppedNetwork,
    source: Source,
    output: NetworkOutput,
    maps: ActivationMaps,
    names: Sequence[str],
    enhancement: Enhancement,
) -> Tensor:
    """Stack named scores of either kind, (B, len(names)) float32, in their order; raises as the other two do."""
    cheap = [name for name in names if isinstance(find(name), TrustScore)]
    second = [name for name in names if name not in cheap]
    columns = dict(zip(cheap, cheap_ingredients(output, maps, cheap).unbind(1), strict=True))
    if second:
        found = second_ingredients(network, source, Response.of(output), second, enhancement)
        columns |= dict(zip(second, found.unbind(1), strict=True))
    return _stack(columns, names, output.margin)


def _stack(columns: dict[str, Tensor], names: Sequence[str], like: Tensor) -> Tensor:
    if not names:
        return like.new_zeros((like.shape[0], 0), dtype=torch.float32)
    for name in names:
        if not isinstance(columns[name], Tensor) or columns[name].shape != like.shape[:1]:
            what = list(getattr(columns[name], "shape", ())) or type(columns[name]).__name__
            raise TrustScoreError(f"trust score {name} of {origin(name)} gives {what}, not one value for each picture")
    stacked = torch.stack([columns[name].float() for name in names], dim=1)
    return torch.where(stacked.isfinite(), stacked, torch.nan)
