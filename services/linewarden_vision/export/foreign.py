"""Whose fault it is when a graph cannot be exported: each foreign trust score is tried alone."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from linewarden_vision.errors import GateError
from linewarden_vision.network.interface import DefectNetwork, NetworkOutput
from linewarden_vision.trust.ingredients import cheap_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.registry import is_built_in, origin

MOST_PICTURES = 4096
"""Of a batch that an exported file takes."""


def refuse_scores_alone(network: DefectNetwork, pictures: Tensor, names: Sequence[str]) -> None:
    """Raise GateError for the first score of another distribution that cannot be exported from a network's output."""
    with torch.no_grad():
        output = network(pictures)
    parts = ("margin", "cells", "tap", "mask_logits", "pyramid", "novelty")
    given = {part: getattr(output, part) for part in parts if getattr(output, part) is not None}
    batch = torch.export.Dim("batch", min=1, max=MOST_PICTURES)
    free = tree_map_only(Tensor, lambda _: {0: batch}, given)
    for name in names:
        if is_built_in(name):
            continue
        try:
            program = torch.export.export(_Alone(name).eval(), (), given, dynamic_shapes=free, strict=False)
            torch.onnx.export(program, dynamo=True, verbose=False)
        except Exception as error:  # the same
            raise GateError(
                f"trust score {name} of {origin(name)} cannot be exported: make it of torch operations without a "
                f"branch on a tensor's values ({_cause(error)})"
            ) from error


class _Alone(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def forward(
        self,
        margin: Tensor,
        cells: Tensor,
        tap: Tensor,
        mask_logits: Tensor,
        pyramid: Mapping[int, Tensor],
        novelty: Tensor | None = None,
    ) -> Tensor:
        output = NetworkOutput(margin, cells, tap, mask_logits, pyramid, novelty)
        return cheap_ingredients(output, make_maps(cells, tap), [self._name])


def _cause(error: BaseException) -> str:
    """The first line of what began it: torch wraps errors in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]
