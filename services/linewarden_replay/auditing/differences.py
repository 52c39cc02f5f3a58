"""Differences of a stored replay, with the pictures that were kept of them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.base import Message
from linewarden_schemas.inspection import Evidence

MOST_SHOWN = 24
_LONGEST = 320
_WEIGHTS = ("verdict", "trust", "not_recorded", "numbers")
Picture = NDArray[np.uint8]


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
            "differences": len(ordered),
            "shown": [_difference(one) for one in ordered[:MOST_SHOWN]],
            "contained": len(told["containment"]),
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
    picture = _decoded(evidence.picture, cv2.IMREAD_COLOR)
    if picture is None:
        return []
    shown = [["as captured", _inline(picture)]]
    mask = _decoded(evidence.maps.mask_png if evidence.maps else None, cv2.IMREAD_GRAYSCALE)
    if mask is not None and mask.shape == picture.shape[:2] and mask.any():
        marked = picture.copy()
        edges, _ = cv2.findContours((mask > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(marked, edges, -1, (0, 0, 255), 1)
        shown.append(["the machine's mask then", _inline(marked)])
    return shown


def _decoded(payload: bytes | None, flags: int) -> Picture | None:
    if not payload:
        return None
    found = cv2.imdecode(np.frombuffer(payload, np.uint8), flags)
    return None if found is None else np.asarray(found, np.uint8)


def _inline(picture: Picture) -> str:
    scale = min(1.0, _LONGEST / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    done, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be written as JPEG")
    return f"data:image/jpeg;base64,{b64encode(encoded.tobytes()).decode()}"
