"""The scale of a drawn chessboard is found, its uncertainty grows with a tilt, and half a board is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from linewarden_ingest.cameras.calibrating import calibrated

SQUARE = 30


def board(shift: int = 0) -> NDArray[np.uint8]:
    """Inner corners 6 x 4, squares of 30 pixels, with a white rim."""
    squares = np.indices((5, 7)).sum(0) % 2
    picture = np.kron(squares, np.ones((SQUARE, SQUARE))).astype(np.uint8) * 255
    rimmed = cv2.copyMakeBorder(picture, 40, 40, 40 + shift, 40, cv2.BORDER_CONSTANT, value=(255,))
    return np.asarray(cv2.GaussianBlur(rimmed, (3, 3), 0), np.uint8)


def test_the_scale_is_that_of_the_squares() -> None:
    found = calibrated([board(), board(7)], (6, 4), 6.0)
    assert found.mm_per_pixel == pytest.approx(6.0 / SQUARE, rel=2e-3)
    assert found.scale_error < 0.02
    assert found.sides == 2 * (5 * 4 + 6 * 3)


def test_a_tilted_board_shows_in_the_uncertainty() -> None:
    height, width = board().shape
    corners = np.asarray([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    tilted = np.asarray([[20, 10], [width - 20, 30], [width, height], [0, height - 10]], np.float32)
    tilt = cv2.getPerspectiveTransform(corners, tilted)
    picture = np.asarray(cv2.warpPerspective(board(), tilt, (width, height), borderValue=(255,)), np.uint8)
    assert calibrated([picture], (6, 4), 6.0).scale_error > 2 * calibrated([board()], (6, 4), 6.0).scale_error


def test_half_a_board_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="picture 2 does not show"):
        calibrated([board(), board()[:, :120]], (6, 4), 6.0)
