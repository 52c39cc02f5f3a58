"""Facts of a bundle's folder that need no network library."""

from __future__ import annotations

import json
from pathlib import Path

from linewarden_domain.judgeable import NO_MASKS, BundleFacts
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.ids import digest

_LISTING = "bundle.sha256"
_CLASSES = "classes.json"


def digest_of(folder: Path) -> str:
    """The content digest of a bundle: SHA-256 of its listing, as linewarden_vision.bundle defines it.

    Raises:
        ConfigurationError: where the folder holds no bundle.
    """
    listing = folder / _LISTING
    if not listing.is_file():
        raise ConfigurationError(f"{folder} holds no bundle ({_LISTING} is missing)")
    return digest(listing.read_bytes())


def folder_of(store: Path | None, wanted: str) -> Path | None:
    """The folder of a bundle by its digest in a folder of bundle folders; None where it is not there."""
    listings = [] if store is None else [store / _LISTING, *sorted(store.glob(f"*/{_LISTING}"))]
    return next((one.parent for one in listings if one.is_file() and digest(one.read_bytes()) == wanted), None)


def facts_of(store: Path | None, wanted: str) -> BundleFacts:
    """What a folder of bundle folders tells of a bundle by its digest; nothing without a folder.

    Raises:
        ConfigurationError: where there is no such folder, or the bundle's card cannot be read.
    """
    if store is None:
        return BundleFacts()
    if not store.is_dir():
        raise ConfigurationError(f"{store} is not a folder of bundles")
    found = folder_of(store, wanted)
    if found is None:
        return BundleFacts(is_known=False)
    try:
        card = json.loads((found / "card.json").read_bytes())
        source = card["thresholds"]["mask"]["provenance"]["curve_point"]
        classes = found / _CLASSES
        names = json.loads(classes.read_bytes())["names"] if classes.is_file() else []
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(
            f"{found / 'card.json'} cannot be read; see 'linewarden bundle verify {found}'"
        ) from error
    return BundleFacts(is_known=True, marks_defects=source != NO_MASKS, classes=tuple(map(str, names)))
