"""Named ingredients of suspicion; each is a (B,) tensor, high is suspicious."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from linewarden_vision.network.interface import NetworkOutput
from linewarden_vision.trust.agreement import (
    agreement_difference,
    normal_disagreement,
    soft_agreement_difference,
)
from linewarden_vision.trust.enhancement import Enhanced
from linewarden_vision.trust.evidence import cell_peak, mask_evidence
from linewarden_vision.trust.maps import Maps, make_maps

CheapName = Literal["agreement", "agreement_soft", "normal_disagreement", "mask_evidence", "margin", "cell_peak"]
EnhancedName = Literal["agreement_enhanced", "agreement_gain", "margin_enhanced"]
IngredientName = CheapName | EnhancedName

_CHEAP: Mapping[str, Callable[[NetworkOutput, Maps], Tensor]] = {
    "agreement": lambda _, maps: agreement_difference(maps),
    "agreement_soft": lambda _, maps: soft_agreement_difference(maps),
    "normal_disagreement": lambda _, maps: normal_disagreement(maps),
    "mask_evidence": lambda output, _: mask_evidence(output.mask_logits),
    "margin": lambda output, _: output.margin.float(),
    "cell_peak": lambda output, _: cell_peak(output.cells),
}
_ENHANCED: Mapping[str, Callable[[Enhanced, Tensor], Tensor]] = {
    "agreement_enhanced": lambda enhanced, _: _enhanced_agreement(enhanced),
    "agreement_gain": lambda enhanced, before: _enhanced_agreement(enhanced) - before,
    "margin_enhanced": lambda enhanced, _: enhanced.margin.float(),
}
CHEAP_NAMES: tuple[str, ...] = tuple(_CHEAP)
ENHANCED_NAMES: tuple[str, ...] = tuple(_ENHANCED)


def cheap_ingredients(output: NetworkOutput, maps: Maps, names: Sequence[str]) -> Tensor:
    """Stack the named ingredients that need no second pass, (B, len(names)) float32."""
    return _stack([_CHEAP[name](output, maps) for name in names], output.margin)


def enhanced_ingredients(enhanced: Enhanced, agreement: Tensor, names: Sequence[str]) -> Tensor:
    """Stack the named ingredients of the enhanced pass; ``agreement`` (B,) is s before the step."""
    return _stack([_ENHANCED[name](enhanced, agreement) for name in names], enhanced.margin)


def _stack(columns: Sequence[Tensor], like: Tensor) -> Tensor:
    if not columns:
        return like.new_zeros((like.shape[0], 0), dtype=torch.float32)
    return torch.stack([column.float() for column in columns], dim=1)


def _enhanced_agreement(enhanced: Enhanced) -> Tensor:
    return agreement_difference(make_maps(enhanced.cells, enhanced.tap))
