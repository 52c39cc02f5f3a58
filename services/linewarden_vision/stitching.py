"""Tiles in, one picture out: device passes of bounded size, and a picture's answers put together again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewarden_vision.prepare import Pixels, Prepared, regions, restore_logits
from linewarden_vision.tiles import Size, blend


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the input of picture ``owner`` (its place in the batch); pixels are a view, not a copy."""

    owner: int
    origin: Size
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class TileScore:
    """What was said of one tile; logits (H', W') and the two maps (h, w) on the bundle's fixed scale.

    ``classes`` (K, h, w) is by the cell, where the bundle tells classes.
    """

    margin: float
    suspicion: float
    ingredients: dict[str, float]
    logits: NDArray[np.float32]
    class_specific: NDArray[np.uint8]
    class_agnostic: NDArray[np.uint8]
    classes: NDArray[np.float32] | None = None


def passes(batch: Sequence[Prepared], most: int) -> Iterator[list[Tile]]:
    """All tiles of a batch as device passes: one shape each, at most ``most`` tiles, pictures in order.

    The tiles of a picture follow each other, so that few pictures are unfinished at any time.
    """
    shapes = dict.fromkeys(prepared.tile for prepared in batch)
    for shape in shapes:
        tiles = (
            tile for owner, prepared in enumerate(batch) if prepared.tile == shape for tile in tiles_of(prepared, owner)
        )
        gathered: list[Tile] = []
        for tile in tiles:
            gathered.append(tile)
            if len(gathered) == most:
                yield gathered
                gathered = []
        if gathered:
            yield gathered


def tiles_of(prepared: Prepared, owner: int) -> Iterator[Tile]:
    """Cut one picture into its tiles, which are ``owner``'s."""
    height, width = prepared.tile
    for top, left in prepared.origins:
        yield Tile(owner, (top, left), prepared.pixels[top : top + height, left : left + width])


_AlongAxis = dict[int, NDArray[np.float32]]


def _to_blend(score: TileScore) -> tuple[tuple[str, NDArray[np.float32] | None], ...]:
    return ("logits", score.logits), ("classes", score.classes)


class Mosaic:
    """One picture's answers as its tiles come in.

    Margin and suspicion are the largest of any tile, ingredients those of the most suspicious tile. Mask
    logits and classes are blended where tiles overlap; maps keep the larger value. A picture of one tile is that tile.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._left = len(prepared.origins)
        self._margin, self._worst = -np.inf, (-np.inf, dict[str, float]())
        self._blended: dict[str, NDArray[np.float32]] = {}
        self._weights: dict[str, tuple[_AlongAxis, _AlongAxis]] = {}
        self._maps = (np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8))

    @property
    def is_whole(self) -> bool:
        """Whether every tile was added."""
        return self._left == 0

    def add(self, origin: Size, score: TileScore) -> None:
        """Blend the tile at `origin` (top, left in pixels) into the picture's maps; the worst tile's scores count."""
        self._left -= 1
        self._margin = max(self._margin, score.margin)
        if score.suspicion > self._worst[0]:
            self._worst = (score.suspicion, score.ingredients)
        if len(self._prepared.origins) == 1:
            self._maps = (score.class_specific, score.class_agnostic)
            self._blended = {name: values for name, values in _to_blend(score) if values is not None}
            return
        for name, found in _to_blend(score):
            if found is not None:
                self._blend(name, origin, found)
        for canvas, values in zip(self._canvases(score), (score.class_specific, score.class_agnostic), strict=True):
            spot = self._spot(origin, values.shape)
            np.maximum(canvas[spot], values, out=canvas[spot])

    def merged(self, mask_threshold: float, mask_peak: float | None = None) -> tuple[TileScore, NDArray[np.bool_]]:
        """Scores, maps and mask logits of the whole picture without its padding, and its native mask."""
        height, width = self._prepared.inner
        cells = [self._spacing(canvas.shape) for canvas in self._maps]
        specific, agnostic = (
            canvas[: -(-height // cell), : -(-width // cell)] for canvas, cell in zip(self._maps, cells, strict=True)
        )
        logits, classes = self._blended["logits"], self._blended.get("classes")
        mask = regions(restore_logits(logits, self._prepared), mask_threshold, mask_peak)
        suspicion, ingredients = self._worst
        return TileScore(self._margin, suspicion, ingredients, logits, specific, agnostic, classes), mask

    def _blend(self, name: str, origin: Size, values: NDArray[np.float32]) -> None:
        shape = values.shape[-2:]
        if name not in self._blended:
            self._blended[name] = np.zeros((*values.shape[:-2], *self._whole(shape)), np.float32)
            self._weights[name] = (self._along(0, shape[0]), self._along(1, shape[1]))
        spot = self._spot(origin, shape)
        down, across = self._weights[name]
        self._blended[name][..., spot[0], spot[1]] += values * down[spot[0].start][:, None] * across[spot[1].start]

    def _along(self, axis: int, tile: int) -> dict[int, NDArray[np.float32]]:
        side = self._prepared.tile[axis]
        starts = sorted({origin[axis] * tile // side for origin in self._prepared.origins})
        return blend(starts, tile, self._prepared.pixels.shape[axis] * tile // side)

    def _canvases(self, score: TileScore) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self._maps[0].size == 0:
            shapes = (score.class_specific.shape, score.class_agnostic.shape)
            first, second = (np.zeros(self._whole(shape), np.uint8) for shape in shapes)
            self._maps = (first, second)
        return self._maps

    def _whole(self, shape: tuple[int, ...]) -> Size:
        """Size of a canvas on which a tile has that shape."""
        height, width = self._prepared.pixels.shape[:2]
        return height * shape[0] // self._prepared.tile[0], width * shape[1] // self._prepared.tile[1]

    def _spot(self, origin: Size, shape: tuple[int, ...]) -> tuple[slice, slice]:
        top = origin[0] * shape[0] // self._prepared.tile[0]
        left = origin[1] * shape[1] // self._prepared.tile[1]
        return slice(top, top + shape[0]), slice(left, left + shape[1])

    def _spacing(self, shape: tuple[int, ...]) -> int:
        """Pixels of the input for each cell of a canvas."""
        return int(self._prepared.pixels.shape[0]) // shape[0]
