"""Tiles of one shape gathered over a whole set: pictures of many sizes still make few, large device passes.

A shape that a pass meets for the first time costs the CPU new kernels, often more than the pass itself.
"""

from collections.abc import Iterator

from linewarden_train.data.samples import Samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.prepare import prepare_picture
from linewarden_vision.stitching import Tile, tiles_of
from linewarden_vision.tiles import Size

_WAITING = 128
"""Tiles held back at most: what a large set takes in memory."""


def gathered(samples: Samples, spec: PictureSpec, most: int) -> Iterator[list[Tile]]:
    """Yield every tile of every sample once, owned by the sample's index, at most ``most`` of one shape together.

    Each sample is decoded once. Raises UnusablePicture for one that the inspector would not judge.
    """
    waiting: dict[Size, list[Tile]] = {}
    for index in range(len(samples)):
        prepared = prepare_picture(samples[index].picture, spec)
        for tile in tiles_of(prepared, index):
            waiting.setdefault(prepared.tile, []).append(tile)
            if len(waiting[prepared.tile]) == most:
                yield waiting.pop(prepared.tile)
        if sum(map(len, waiting.values())) > _WAITING:
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    yield from waiting.values()
