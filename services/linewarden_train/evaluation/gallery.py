"""Pictures of the worst misses as data URIs: the picture, both outlines, and the maps on the bundle's fixed scale."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_train.evaluation.of_bundle import Shown

_SIDE = 280
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Card:
    """One miss as the page shows it."""

    title: str
    detail: str
    pictures: list[tuple[str, str]]
    """Caption and data URI."""


def card_of(shown: Shown) -> Card:
    """Draw one; masks are outlined so that a thin defect stays visible."""
    grey = _levels(shown.picture)
    height, width = grey.shape[:2]
    scale = min(4.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    truth = "true defect" if shown.truth is not None else "not annotated"
    return Card(
        title=shown.name,
        detail=f"{shown.defect_class}, group {shown.group}, margin {shown.score.margin:.2f}, "
        f"suspicion {shown.score.suspicion:.3f}",
        pictures=[
            ("picture", _uri(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))),
            (truth, _uri(_outlined(grey, shown.truth, size, (60, 200, 90)))),
            ("predicted mask", _uri(_outlined(grey, shown.score.mask, size, (60, 150, 255)))),
            ("class-specific map", _uri(_heat(shown.score.class_specific, size))),
            ("class-agnostic map", _uri(_heat(shown.score.class_agnostic, size))),
        ],
    )


def _levels(picture: NDArray[np.generic]) -> Bytes:
    levels = np.asarray(picture)
    if levels.dtype == np.uint16:
        levels = (levels.astype(np.float32) * (255 / max(1, int(levels.max())))).astype(np.uint8)
    if levels.ndim == 3:
        return np.asarray(cv2.cvtColor(np.asarray(levels, np.uint8), cv2.COLOR_RGB2BGR), np.uint8)
    return np.asarray(levels, np.uint8)


def _outlined(
    grey: Bytes, mask: NDArray[np.bool_] | None, size: tuple[int, int], colour: tuple[int, int, int]
) -> Bytes:
    colours = grey if grey.ndim == 3 else np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    drawn = np.ascontiguousarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.uint8)
    if mask is not None and mask.any():
        # the mask grows by a pixel first: an outline runs around a hair-line defect, not over it
        thick = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
        large = np.asarray(cv2.resize(thick, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, colour, 1)
    return drawn


def _heat(levels: Bytes, size: tuple[int, int]) -> Bytes:
    large = cv2.resize(levels, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.applyColorMap(np.asarray(large, np.uint8), cv2.COLORMAP_VIRIDIS), np.uint8)


def _uri(picture: NDArray[np.generic]) -> str:
    encoded = cv2.imencode(".png", np.asarray(picture, np.uint8))[1]
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()
