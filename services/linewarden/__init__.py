"""Inspects every part on a production line, and knows when its own OK must not be believed.

The names here are for notebooks and programs (`docs/library.md`); the command line is `linewarden --help`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewarden.library import PictureInspector as Inspector
    from linewarden.library import PictureVerdict, RecordedPicture, demo_bundle, parts, pictures

__all__ = ["Inspector", "PictureVerdict", "RecordedPicture", "demo_bundle", "parts", "pictures"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - each name has its own type
    """Import what is asked for: the command line must not wait for torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from linewarden import library  # noqa: PLC0415

    return library.PictureInspector if name == "Inspector" else getattr(library, name)
