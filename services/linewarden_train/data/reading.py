"""Reading pictures and masks from disk, with errors that name the file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Decode to HxW uint8; raises ValueError for a file that is missing or no picture."""
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError(f"{path} is not a picture that can be decoded")
    return np.asarray(picture, np.uint8)


def read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Decode a mask of that (height, width), None where there is no file or nothing marked in it.

    A defect that nobody marked is *unannotated*, not absent. Raises ValueError for another size.
    """
    if not path.is_file():
        return None
    mask = read_grey(path) > 127
    if mask.shape != size:
        raise ValueError(f"{path} is {mask.shape}, its picture {size}")
    return mask if mask.any() else None
