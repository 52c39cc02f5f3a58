"""Reading pictures and masks from disk, with errors that name the file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_train.data.samples import Picture

Size = tuple[int, int]
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_LOSSY = frozenset({".jpg", ".jpeg"})
_AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_ENDS = ((b"\xff\xd8", b"\xff\xd9"), (b"\x89PNG", b"IEND"))  # how a whole JPEG and PNG begin and end
_TAIL = 256


def read_picture(path: Path) -> Picture:
    """Decode to HxW or HxWx3 (RGB), uint8 or uint16, in the sensor's own orientation, without transparency.

    Raises ValueError, naming the file, for one that is missing, cut short or no picture.
    """
    picture = _decode(path, _AS_STORED)
    if picture.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        raise ValueError(f"{path} holds {picture.dtype} pixels; 8 or 16 bit are read")
    return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_mask(path: Path, size: Size | None) -> NDArray[np.bool_] | None:
    """Decode a mask of that (height, width), None where there is no file or nothing marked in it.

    A pixel is marked from half of the full scale on; in a lossless mask that never gets there (0 and 1,
    or class numbers) every pixel that is not 0. A defect that nobody marked is *unannotated*, not
    absent. Raises ValueError for another size (any is right where ``size`` is None) or no picture.
    """
    if not path.is_file():
        return None
    levels = _decode(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    mask = np.asarray(levels > np.iinfo(levels.dtype).max // 2)
    if not mask.any() and path.suffix.lower() not in _LOSSY:
        mask = np.asarray(levels > 0)
    if size is not None and mask.shape != size:
        raise ValueError(f"{path} is {_words(mask.shape)}, its picture {_words(size)}")
    return mask if mask.any() else None


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures directly in a folder in order of name; none where there is no such folder."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def _decode(path: Path, flags: int) -> Picture:
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    stored = path.read_bytes()
    if any(stored.startswith(begin) and end not in stored[-_TAIL:] for begin, end in _ENDS):
        raise ValueError(f"{path} is cut short: copy it again")
    picture = cv2.imdecode(np.frombuffer(stored, np.uint8), flags) if stored else None
    if picture is None:
        raise ValueError(f"{path} is not a picture that can be decoded")
    return np.asarray(picture)


def _words(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]} pixels"
