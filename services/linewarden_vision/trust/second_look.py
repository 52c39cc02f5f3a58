"""What a second look asks: the ingredients after the enhancement, and what the network says of the picture turned.

A part's defect is where it is whichever way the picture lies, and a network's blind spot often is not: averaging the
margin over the picture and its half turn is the smallest test-time augmentation (Ayhan and Berens 2018), one more
pass. A half turn keeps the picture's shape, so that both go through one batch of any size.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.enhancement import Enhancement, Response, Source, enhance
from linewarden_vision.trust.ingredients import ENHANCED_NAMES, enhanced_ingredients

TURNED = "margin_turned"
SECOND_NAMES: tuple[str, ...] = (*ENHANCED_NAMES, TURNED)
"""Ingredients of a second look."""


def second_ingredients(
    network: DefectNetwork, source: Source, before: Response, names: Sequence[str], enhancement: Enhancement
) -> Tensor:
    """Stack the named ingredients of a second look, (B, len(names)) float32; what no name needs is not run.

    ``before`` is the plain pass of the same pictures. Raises ValueError for a network in train mode, KeyError for a
    name that is none.
    """
    columns: dict[str, Tensor] = {}
    stepped = [name for name in names if name != TURNED]
    if stepped:
        after = enhance(network, source, enhancement, before)
        columns |= dict(zip(stepped, enhanced_ingredients(after, before, stepped).unbind(1), strict=True))
    if TURNED in names:
        columns[TURNED] = turned_margin(network, source.pictures, before.margin)
    return torch.stack([columns[name] for name in names], dim=1)


def turned_margin(network: DefectNetwork, pictures: Tensor, margin: Tensor) -> Tensor:
    """Average the margins (B,) of pictures (B, C, H, W) with those of the same pictures turned by half, float32.

    Raises ValueError for a network in train mode, whose batch norm would mix pictures.
    """
    if network.training:
        raise ValueError("a second look needs the network in eval mode: call network.eval() first")
    with torch.no_grad():
        turned = network.classify(network.fuse(network.encode(pictures.flip((2, 3)))))
    return (margin.float() + turned.margin.float()) / 2
