"""What stands behind a bundle by its digest: stage, promotions, thresholds, qualification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linewarden_vision.bundle import find_bundle, read_bundle
from linewarden_vision.card import BundleThresholds
from linewarden_vision.errors import BundleError


def standing_of(store: Path, today: str, digest: str) -> dict[str, Any]:
    """As its folder in `store` says; `today` is YYYY-MM-DD. Where it cannot be looked at, `status` tells why."""
    try:
        found = read_bundle(find_bundle(store, digest), expected_digest=digest)
    except (BundleError, OSError) as error:
        return {"status": f"not looked at: {error}"}
    told: dict[str, Any] = {
        "stage": found.card.stage,
        "promotions": [step.model_dump(mode="json") for step in found.promotions],
        "thresholds": threshold_rows(found.card.thresholds),
    }
    record = found.qualification
    if record is None:
        return told | {"status": "not qualified: nothing bounds its trusted passes among defects"}
    void = record.void_because(found.content)
    if void is not None:
        return told | {"status": f"void: {void}"}
    statements = [one.model_dump(mode="json") for one in record.statements]
    told |= {"statements": statements, "expires": record.expires, "joint_confidence": record.joint_confidence}
    told |= {"criteria_digest": record.criteria_digest}
    return told | {"status": "expired" if record.is_expired(today) else "qualified"}


def threshold_rows(limits: BundleThresholds) -> list[dict[str, Any]]:
    """Tell every threshold of a card with where it comes from."""
    return [
        {"name": name, "value": one.value} | one.provenance.model_dump(mode="json")
        for name, one in limits.named.items()
    ]
