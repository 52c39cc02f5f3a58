"""Facts of a bundle's folder that need no network library."""

from __future__ import annotations

from pathlib import Path

from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.ids import digest

_LISTING = "bundle.sha256"


def digest_of(folder: Path) -> str:
    """The content digest of a bundle: SHA-256 of its listing, as linewarden_vision.bundle defines it.

    Raises:
        ConfigurationError: where the folder holds no bundle.
    """
    listing = folder / _LISTING
    if not listing.is_file():
        raise ConfigurationError(f"{folder} holds no bundle ({_LISTING} is missing)")
    return digest(listing.read_bytes())
