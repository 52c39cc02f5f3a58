"""What a qualification or a promotion speaks of: everything that decides a score or a routing, nothing else.

The digest of a *bundle* covers every file, so that a recipe names exactly one folder. The digest of its *content*
leaves out names, notes, golden pictures, promotions and qualification: it stays the same when a bundle is promoted
and changes when weights, thresholds, logistic, normalisers, preprocessing or the classes of regions do.
"""

import hashlib
import json
from collections.abc import Mapping

from linewarden_vision.card import Card


def content_digest(card: Card, files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 (hex) over the deciding parts of a card and the deciding files among ``files``."""
    # a field that a later version adds with a default changes no score, so it must not change the digest
    parts = {"network", "picture", "thresholds", "trust"}
    deciding = card.model_dump(mode="json", include=parts, exclude_defaults=True)
    weights = [name for name in ("classes.json", "novelty.safetensors", "weights.safetensors") if name in files]
    held = {name: hashlib.sha256(files[name]).hexdigest() for name in weights}
    text = json.dumps({"card": deciding, "files": held}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def at_precision(content: str, precision: str) -> str:
    """Return the digest of content as scored at one precision: another precision gives other scores."""
    return hashlib.sha256(f"{content}\0{precision}".encode()).hexdigest()
