"""Named ingredients of suspicion; each is a (B,) tensor, high is suspicious.

The agreements are four measures of four agnostic maps. Names: the measure, then the agnostic map
(none for the energy), then ``_enhanced`` for the value after the step and ``_gain`` for what the
step added. An ingredient that is not named is not computed.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from linewarden_vision.network.interface import NetworkOutput
from linewarden_vision.trust.agreement import (
    agreement_difference,
    normal_disagreement,
    plain_soft_difference,
    soft_agreement_difference,
)
from linewarden_vision.trust.enhancement import Response
from linewarden_vision.trust.evidence import cell_peak, mask_evidence
from linewarden_vision.trust.maps import AgnosticVariant, Maps, class_agnostic, make_maps
from linewarden_vision.trust.names import AgreementName, CheapName, EnhancedName

__all__ = [
    "BANKED_NAMES",
    "CHEAP_NAMES",
    "ENHANCED_NAMES",
    "CheapName",
    "EnhancedName",
    "cheap_ingredients",
    "enhanced_ingredients",
    "measure_of",
]


def _novelty(output: NetworkOutput) -> Tensor:
    if output.novelty is None:
        raise ValueError("novelty needs a network with a bank of good patches")
    return output.novelty.float()


_MEASURES: Mapping[str, Callable[[Maps], Tensor]] = {
    "agreement": agreement_difference,
    "agreement_soft": soft_agreement_difference,
    "agreement_plain_soft": plain_soft_difference,
    "normal_disagreement": normal_disagreement,
}
_AGNOSTIC: Mapping[str, AgnosticVariant] = {"": "energy", "_mean": "mean", "_eigen": "eigen", "_fem": "fem"}
_AGREEMENTS = {
    measure + suffix: (_MEASURES[measure], variant) for measure in _MEASURES for suffix, variant in _AGNOSTIC.items()
}
_OTHERS: Mapping[str, Callable[[NetworkOutput], Tensor]] = {
    "mask_evidence": lambda output: mask_evidence(output.mask_logits),
    "margin": lambda output: output.margin.float(),
    "cell_peak": lambda output: cell_peak(output.cells),
    "novelty": _novelty,
}
BANKED_NAMES = ("novelty",)
"""Ingredients that only a network with a bank of good patches has."""
CHEAP_NAMES: tuple[str, ...] = (*_AGREEMENTS, *(name for name in _OTHERS if name not in BANKED_NAMES))
"""Ingredients of one pass that every network has."""
ENHANCED_NAMES: tuple[str, ...] = (
    *(name + suffix for name in _AGREEMENTS for suffix in ("_enhanced", "_gain")),
    "margin_enhanced",
    "margin_gain",
)


def measure_of(agreement: AgreementName) -> tuple[Callable[[Maps], Tensor], AgnosticVariant]:
    """Return what an agreement of a plain pass measures, and on which agnostic map."""
    return _AGREEMENTS[agreement]


def cheap_ingredients(output: NetworkOutput, maps: Maps, names: Sequence[str]) -> Tensor:
    """Stack the named ingredients that need no second pass, (B, len(names)) float32.

    ``maps`` are those of the energy. Raises KeyError for a name that is none, ValueError for novelty of
    a network without a bank.
    """
    agreements = _Agreements(output.tap, maps)
    columns = [agreements[name] if name in _AGREEMENTS else _OTHERS[name](output) for name in names]
    return _stack(columns, output.margin)


def enhanced_ingredients(after: Response, before: Response, names: Sequence[str]) -> Tensor:
    """Stack the named ingredients of the enhanced pass, (B, len(names)) float32; ``before`` is the plain pass."""
    late = _Agreements(after.tap, make_maps(after.cells, after.tap))
    early = _Agreements(before.tap, make_maps(before.cells, before.tap))

    def column(name: str) -> Tensor:
        gain = name.endswith("_gain")
        plain = name.removesuffix("_gain" if gain else "_enhanced")
        if plain == "margin":
            return after.margin.float() - before.margin.float() if gain else after.margin.float()
        return late[plain] - early[plain] if gain else late[plain]

    return _stack([column(name) for name in names], after.margin)


class _Agreements:
    """Agreements of one pass by name; an agnostic map is made once, when first asked for."""

    def __init__(self, tap: Tensor, maps: Maps) -> None:
        self._tap, self._maps = tap, {"energy": maps}

    def __getitem__(self, name: str) -> Tensor:
        measure, variant = _AGREEMENTS[name]
        if variant not in self._maps:
            energy = self._maps["energy"]
            self._maps[variant] = Maps(energy.defect, energy.normal, class_agnostic(self._tap, variant))
        return measure(self._maps[variant])


def _stack(columns: Sequence[Tensor], like: Tensor) -> Tensor:
    if not columns:
        return like.new_zeros((like.shape[0], 0), dtype=torch.float32)
    return torch.stack([column.float() for column in columns], dim=1)
