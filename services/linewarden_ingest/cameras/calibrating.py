"""Millimetres of a pixel, from pictures of a chessboard that lies where parts lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Calibration:
    """A view's scale; `scale_error` is two standard deviations of one square's side, as a share of it.

    A tilted board or a lens shows in it.
    """

    mm_per_pixel: float
    scale_error: float
    sides: int


def calibrated(pictures: Sequence[NDArray[np.uint8]], corners: tuple[int, int], square_mm: float) -> Calibration:
    """The scale of grey pictures (height, width) of a board with so many inner corners (columns, rows).

    Raises:
        ValueError: where a picture does not show the whole board.
    """
    columns, rows = corners
    sides: list[NDArray[np.floating]] = []
    for number, picture in enumerate(pictures, 1):
        is_found, points = cv2.findChessboardCornersSB(picture, corners)
        if not is_found:
            raise ValueError(f"picture {number} does not show a whole chessboard of {columns} x {rows} inner corners")
        grid = np.asarray(points, float).reshape(rows, columns, 2)
        sides += [np.linalg.norm(np.diff(grid, axis=axis), axis=-1).ravel() for axis in (0, 1)]
    lengths = np.concatenate(sides)
    mean = float(lengths.mean())
    return Calibration(square_mm / mean, 2.0 * float(lengths.std()) / mean, len(lengths))
