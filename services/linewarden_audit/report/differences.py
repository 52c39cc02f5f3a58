"""Differences of a stored replay, with the pictures that were kept of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from linewarden_history.reports.pictures import shown
from linewarden_schemas.base import Message
from linewarden_schemas.inspection import Evidence

MOST_SHOWN = 24
_WEIGHTS = ("verdict", "trust", "not_recorded", "numbers", "maps")


def read_rerun(path: Path) -> dict[str, Any]:
    """The stored result of `linewarden replay --json`, reduced to what the report shows.

    Raises:
        ValueError: for a file that is no such result.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        ordered = sorted(told["differences"], key=_weight)
        return {
            "file": path.name,
            "namespace": told["namespace"],
            "bundle": told["bundle"],
            "frames": told["frames"],
            "by_kind": told["by_kind"],
            "largest_deviation": told["largest_deviation"],
            "differences": sum(told["by_kind"].values()),
            "shown": [_difference(one) for one in ordered[:MOST_SHOWN]],
            "contained": len(told["containment"]),
            "by_cause": told.get("by_cause", {}),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not the stored result of a replay: {error!r}") from error


def with_pictures(rerun: dict[str, Any], kept: Iterable[Message]) -> dict[str, Any]:
    """Add what the keeper holds of the shown frames; of several pieces of evidence the last counts."""
    wanted = {one["frame_id"]: one for one in rerun["shown"]}
    for message in kept:
        if isinstance(message, Evidence) and message.frame_id in wanted:
            wanted[message.frame_id]["pictures"] = _pictures(message)
    return rerun


def _weight(one: dict[str, Any]) -> tuple[int, str]:
    kind = str(one["kind"])
    return (_WEIGHTS.index(kind) if kind in _WEIGHTS else len(_WEIGHTS), str(one["frame_id"]))


def _difference(one: dict[str, Any]) -> dict[str, Any]:
    kept = ("frame_id", "visit_id", "kind", "recorded", "replayed")
    return {name: one.get(name) for name in kept} | {"pictures": []}


def _pictures(evidence: Evidence) -> list[list[str]]:
    """Captions and pictures as data: the picture as captured and, where it was kept, the mask over it."""
    found = shown(evidence.picture, evidence.maps.mask_png if evidence.maps else None)
    if found is None:
        return []
    captions = ("as captured", "the machine's mask then")
    return [[caption, one] for caption, one in zip(captions, found, strict=True) if one is not None]
