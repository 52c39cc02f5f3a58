"""Mask and maps of a picture as PNG files that mirror the folder's layout."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_vision.inspector import ViewScore

_MOST_BYTES = 255
_LONGEST_ENDING = len(".class_agnostic.png")
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class MapNames:
    """Paths inside the folder of maps, with forward slashes; None where nothing was written."""

    mask: str | None
    class_specific: str | None
    class_agnostic: str | None
    difference: str | None


def write_maps(folder: Path, image: str, score: ViewScore) -> MapNames:
    """Write `<image>.mask.png` (0 or 255, native size) and three maps beside it; returns their names.

    Heatmaps have a cell for each 8 x 8 pixels of the input and the bundle's fixed scale: equal grey means
    equal evidence in every picture. The difference is 128 + (class-specific - class-agnostic) / 2.
    """
    layers = {
        "mask": score.mask.astype(np.uint8) * np.uint8(255),
        "class_specific": score.class_specific,
        "class_agnostic": score.class_agnostic,
        "difference": difference(score.class_specific, score.class_agnostic),
    }
    for layer, values in layers.items():
        path = folder / _name(image, layer)
        path.parent.mkdir(parents=True, exist_ok=True)
        done, encoded = cv2.imencode(".png", values)
        if not done:
            raise ValueError(f"{path} of shape {values.shape} cannot be written as PNG")
        path.write_bytes(encoded.tobytes())
    return MapNames(**{layer: _name(image, layer) for layer in layers})


def difference(specific: NDArray[np.uint8], agnostic: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Signed difference of two maps around 128; brighter where the evidence is the defect's own."""
    signed = specific.astype(np.int16) - agnostic.astype(np.int16)
    return np.asarray((signed // 2 + 128), np.uint8)


def _name(image: str, layer: str) -> str:
    """The map's path; what no file system takes as a name is cut, with the digest of the whole behind."""
    path = PurePosixPath(image)
    ending = f".{layer}.png"
    stored = os.fsencode(path.name)
    if len(stored) + _LONGEST_ENDING <= _MOST_BYTES:
        return f"{image}{ending}"
    kept = stored[: _MOST_BYTES - _LONGEST_ENDING - 1 - _DIGEST].decode("utf-8", "ignore")
    return str(path.with_name(f"{kept}~{hashlib.sha256(stored).hexdigest()[:_DIGEST]}{ending}"))
