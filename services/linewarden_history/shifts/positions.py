"""Where on the picture defects lie: centres of connected regions, counted on a grid, view by view."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.reading import read_picture

COLUMNS = 24
"""Cells across a picture; down it as many as keep them square."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What one mask shows: centres of its regions as shares of width and height; `aspect` is height over width."""

    spots: tuple[tuple[float, float], ...]
    aspect: float


def spots(mask_png: bytes) -> Marked | None:
    """Connected regions (8 neighbours) of a mask, a PNG of 8 bit grey; None where it cannot be read."""
    try:
        mask = np.asarray(read_picture(mask_png), np.uint16)
    except PictureRefused:
        return None
    if mask.ndim != 2:
        return None
    height, width = mask.shape
    count, _, _, centres = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    found = [(float(centres[n][0] + 0.5) / width, float(centres[n][1] + 0.5) / height) for n in range(1, count)]
    return Marked(tuple(found), height / width)


class PositionMap:
    """Counts spots of one view on a grid, so that memory does not grow with their number."""

    def __init__(self) -> None:
        self._cells: Counter[tuple[int, int]] = Counter()
        self._frames: Counter[str] = Counter()
        self._aspect: float | None = None
        self.other_shapes = 0

    def add(self, marked: Marked, source: str) -> None:
        """Add the regions of one frame; `source` says who marked them."""
        if self._aspect is None:
            self._aspect = marked.aspect
        self.other_shapes += abs(marked.aspect - self._aspect) > 0.01
        self._frames[source] += 1
        rows = self.rows
        for x, y in marked.spots:
            cell = (min(COLUMNS - 1, int(x * COLUMNS)), min(rows - 1, int(y * rows)))
            self._cells[cell] += 1

    @property
    def rows(self) -> int:
        """Cells down the picture, at least one, as many as keep them square."""
        return max(1, round(COLUMNS * (self._aspect or 1.0)))

    def as_dict(self) -> dict[str, Any]:
        """For documents: `cells` are column, row, count."""
        cells = [[column, row, count] for (column, row), count in sorted(self._cells.items())]
        return {
            "columns": COLUMNS,
            "rows": self.rows,
            "frames": dict(sorted(self._frames.items())),
            "spots": sum(self._cells.values()),
            "other_shapes": self.other_shapes,
            "cells": cells,
        }
