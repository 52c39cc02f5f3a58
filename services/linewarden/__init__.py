"""Inspects every part on a production line, and knows when its own OK must not be believed.

The names here are for notebooks and programs (`docs/library.md`); the command line is `linewarden --help`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewarden.library import PictureInspector as Inspector
    from linewarden.library import PictureVerdict, RecordedPicture, demo_bundle, parts, pictures
    from linewarden_vision.network.head import Classification
    from linewarden_vision.network.interface import NetworkOutput
    from linewarden_vision.trust.own_network import trust_scores, trust_scores_of_maps

__all__ = [
    "Classification",
    "Inspector",
    "NetworkOutput",
    "PictureVerdict",
    "RecordedPicture",
    "demo_bundle",
    "parts",
    "pictures",
    "trust_scores",
    "trust_scores_of_maps",
]
_ELSEWHERE = {
    "Classification": "linewarden_vision.network.head",
    "NetworkOutput": "linewarden_vision.network.interface",
    "trust_scores": "linewarden_vision.trust.own_network",
    "trust_scores_of_maps": "linewarden_vision.trust.own_network",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - each name has its own type
    """Import what is asked for: the command line must not wait for torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _ELSEWHERE:
        return getattr(import_module(_ELSEWHERE[name]), name)
    from linewarden import library  # noqa: PLC0415

    return library.PictureInspector if name == "Inspector" else getattr(library, name)
