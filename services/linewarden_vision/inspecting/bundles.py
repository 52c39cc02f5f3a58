"""A folder of bundles, found by their digest whatever their folders are called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from linewarden_vision.bundle import LISTING
from linewarden_vision.errors import BundleError


def find_bundle(store: Path, digest: str) -> Path:
    """The folder of a bundle in a store (or the store itself, if it is the bundle).

    Only the listing is hashed here; loading verifies the files.

    Raises:
        BundleError: where no folder has that digest.
    """
    listings = [store / LISTING, *sorted(store.glob(f"*/{LISTING}"))]
    for listing in listings:
        if listing.is_file() and hashlib.sha256(listing.read_bytes()).hexdigest() == digest:
            return listing.parent
    raise BundleError(f"no bundle {digest[:12]} in {store}; copy its folder there")
