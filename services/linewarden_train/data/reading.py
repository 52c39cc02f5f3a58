"""Reading pictures and masks from disk as the line reads them, with errors that name the file."""

from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewarden_train.data.samples import Picture
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures import reading
from linewarden_vision.tiles import Size

_BRIGHT = 128
"""From where on a value marks by its brightness, not as the number of a class."""
_MOST_NAMED = 16
"""Values: a mask of more has soft edges."""


class Scale(Enum):
    """By what a mask says that a pixel is marked; a set has one."""

    FULL = "0 and one bright value"
    NUMBERS = "class numbers below 128"


class DefectMask(NamedTuple):
    """A mask (H, W) in which something is marked, and by what, where it comes from a picture."""

    mask: NDArray[np.bool_]
    scale: Scale | None = None


def read_picture(path: Path) -> Picture:
    """Decode to HxW or HxWx3 (RGB), uint8 or uint16, in the sensor's own orientation.

    Raises ValueError, naming the file, for one that is missing, or that the line would not judge.
    """
    try:
        return reading.read_picture(reading.read_file(path))
    except PictureRefused as refused:
        raise ValueError(f"{path}: {refused.detail}") from refused


def read_mask(path: Path, size: Size | None) -> DefectMask | None:
    """Decode a mask of that (height, width), None where there is no file or nothing marked in it.

    Marked is what is not 0: in a mask of 0 and one value from 128 on, and in one of class numbers below 128. A lossy
    mask, and one of more than 16 values, has soft edges: marked is what is above half of the full scale. A defect
    that nobody marked is *unannotated*, not absent. Raises ValueError for another size (any is right where ``size``
    is None), no picture, and any other values, which it names.
    """
    if not path.is_file():
        return None
    levels = read_picture(path)
    if levels.ndim == 3:
        levels = levels.max(axis=2)
    if size is not None and levels.shape != size:
        raise ValueError(f"{path} is {_words(levels.shape)}, its picture {_words(size)}")
    values = np.unique(levels)
    if path.suffix.lower() in {".jpg", ".jpeg"} or (values.size > _MOST_NAMED and values[-1] >= _BRIGHT):
        return _marked(np.asarray(levels > np.iinfo(levels.dtype).max // 2), Scale.FULL)
    bright = int((values >= _BRIGHT).sum())
    if values.size > 1 and (values[0] != 0 or (bright and values.size > 2)):
        shown = ", ".join(map(str, values.tolist()[:_MOST_NAMED]))
        raise ValueError(f"{path} holds the values {shown}; a mask has 0 and one other, or class numbers below 128")
    return _marked(np.asarray(levels > 0), Scale.FULL if bright else Scale.NUMBERS)


def _marked(mask: NDArray[np.bool_], scale: Scale) -> DefectMask | None:
    return DefectMask(mask, scale) if mask.any() else None


def _words(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]} pixels"
