"""Tiles of a large picture: where they lie, and how much each counts where they overlap.

Tiles begin at multiples of 32, the network's coarsest stride, so that a spot falls on the same grid in
every tile that shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewarden_vision.card import PictureSpec

Size = tuple[int, int]
GRID = 32


@dataclass(frozen=True, slots=True)
class Layout:
    """Size of the padded input, of one tile, and the tiles' top left corners, row by row."""

    padded: Size
    tile: Size
    origins: tuple[Size, ...]


def lay_out(inner: Size, spec: PictureSpec) -> Layout:
    """Cover a scaled picture of that (height, width) with equal tiles of at most the spec's size."""
    rows = _axis(inner[0], spec.height, spec)
    columns = _axis(inner[1], spec.width, spec)
    origins = tuple((top, left) for top in rows[2] for left in columns[2])
    return Layout((rows[0], columns[0]), (rows[1], columns[1]), origins)


def _axis(length: int, side: int, spec: PictureSpec) -> tuple[int, int, list[int]]:
    """Padded length, length of a tile, and where tiles begin; the last one ends with the padding."""
    if length <= side:
        padded = side if spec.pad == "full" else _grown(length)
        return padded, padded, [0]
    last = _grown(length - side)
    step = max(GRID, (side - spec.overlap) // GRID * GRID)
    return last + side, side, [*range(0, last, step), last]


def _grown(length: int) -> int:
    return -(-length // GRID) * GRID


def blend(starts: Sequence[int], tile: int, length: int) -> dict[int, NDArray[np.float32]]:
    """Weights (tile,) of each tile along one axis, by where it begins; they add up to 1 everywhere.

    A tile counts less towards its border, where the network sees least of the surroundings.
    """
    ramp = np.minimum(np.arange(tile), np.arange(tile)[::-1]) + 0.5
    total = np.zeros(length)
    for start in starts:
        total[start : start + tile] += ramp
    return {start: np.asarray(ramp / total[start : start + tile], np.float32) for start in starts}
