"""A segmentation of COCO, drawn: every number of it is held against the picture before native code sees it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]


def draw(segmentation: Any, size: Size) -> NDArray[np.bool_]:  # noqa: ANN401  # as it stands in the JSON
    """Draw polygons, or run lengths packed or not, for a picture of (height, width).

    Raises ValueError for what is neither, and for numbers that a picture of that size cannot have: a coordinate
    farther outside than the picture is large, runs that do not add up to its pixels.
    """
    if isinstance(segmentation, dict):
        return _runs(segmentation, size)
    return _polygons(segmentation, size)


def _polygons(polygons: Any, size: Size) -> NDArray[np.bool_]:  # noqa: ANN401
    from pycocotools import mask as coco  # noqa: PLC0415  # only COCO sets need it

    height, width = size
    for polygon in polygons if isinstance(polygons, list) else [polygons]:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon is a list of three or more pairs of numbers")
        for place, number in enumerate(polygon):
            span = height if place % 2 else width
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                raise ValueError(f"coordinate {number!r} is no number")
            if not -span <= number <= 2 * span:
                raise ValueError(f"coordinate {number!r} lies far outside the picture of {width} x {height} pixels")
    return np.asarray(coco.decode(coco.merge(coco.frPyObjects(polygons, height, width))), bool)


def _runs(packed: dict[str, Any], size: Size) -> NDArray[np.bool_]:
    if packed.get("size") != list(size):
        raise ValueError(f"its run lengths are for a picture of {packed.get('size')}, this one is {list(size)}")
    counts = packed.get("counts")
    if isinstance(counts, str):
        counts = _unpacked(counts)
    if not isinstance(counts, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in counts):
        raise ValueError("run lengths are whole numbers, or their text")
    if any(one < 0 for one in counts) or sum(counts) != size[0] * size[1]:
        raise ValueError(f"its run lengths do not add up to the picture's {size[0] * size[1]} pixels")
    lengths = np.asarray(counts, np.int64)
    flat = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    return flat.reshape(size[::-1]).T


def _unpacked(text: str) -> list[int]:
    """Run lengths of their text: five bits a character, lowest first; from the fourth on as differences."""
    counts: list[int] = []
    value = shift = 0
    for sign in text:
        bits = ord(sign) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("the text of its run lengths is broken")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("the text of its run lengths is cut short")
    return counts
