"""A trust score, an ingredient of suspicion: its name, what it measures, and what it found in words for a person.

Each is declared beside the function that computes it, in this package or in another distribution
(``docs/adding/trust-score.md``), and is asked for by name (``registry.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from linewarden_vision.network.interface import NetworkOutput
    from linewarden_vision.trust.maps import ActivationMaps
    from linewarden_vision.trust.second_look import SecondPass

Need = Literal["margin", "mask_logits", "pyramid", "novelty"]
"""A part of ``NetworkOutput`` besides cells and tap, from which the maps are made."""


@dataclass(frozen=True)
class _Named:
    name: str
    words: Mapping[str, str]
    """By language what it found, as in "network said OK, but ...": English (``en``) at least."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", self.name):
            raise ValueError(f"a trust score's name is small letters, digits and underscores, not {self.name!r}")
        if not self.words.get("en"):
            raise ValueError(f"trust score {self.name} needs words in English: words={{'en': '...'}}")


@dataclass(frozen=True)
class TrustScore(_Named):
    """Of one pass: ``measure`` returns (B,), high is suspicious; what is not finite diverts.

    ``needs`` names the parts of the output that it reads besides cells, tap and maps, which are those of the energy.
    Raises ValueError for a name that is none, or words without English.
    """

    measure: Callable[[NetworkOutput, ActivationMaps], Tensor]
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class SecondScore(_Named):
    """Of a second look at the doubtful: ``measure`` returns (B,), high is suspicious; what is not finite diverts.

    Raises ValueError as a ``TrustScore`` does.
    """

    measure: Callable[[SecondPass], Tensor]
