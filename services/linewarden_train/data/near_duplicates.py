"""Near-duplicates: pictures of one thing, found by the correlation of high-passed thumbnails."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from linewarden_train.data.samples import Picture, Samples

THRESHOLD = 0.9
_SIDE = 32
_BLUR = 2.5  # standard deviation in thumbnail pixels: light and shape go, texture and edges stay
_BLOCK = 512
_FLAT = 1e-3
_SHARED = 0.5  # average correlation from which on the pictures show one fixture

Thumbnails = NDArray[np.float32]
"""(N, pixels), each of length 1, so that a product is a correlation; all 0 for a picture without texture."""


def thumbnail(picture: Picture) -> NDArray[np.float32]:
    """Shrink to a grey square, take off what is smooth, and scale to mean 0 and length 1."""
    grey = np.asarray(picture, np.float32)
    if grey.ndim == 3:
        grey = grey.mean(axis=2)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    sharp = np.asarray(small - cv2.GaussianBlur(small, (0, 0), _BLUR), np.float32).ravel()
    centred = sharp - sharp.mean()
    length = float(np.linalg.norm(centred))
    return np.zeros_like(centred) if length < _FLAT else np.asarray(centred / length, np.float32)


def thumbnails_of(samples: Samples, on_picture: Callable[[int], None] = lambda _: None) -> Thumbnails:
    """Make all thumbnails, without what they all share; ``on_picture`` hears how many are done.

    Raises ValueError for an unreadable file.
    """
    made = []
    for index in range(len(samples)):
        made.append(thumbnail(samples[index].picture))
        on_picture(index + 1)
    return without_shared(np.stack(made)) if made else np.zeros((0, _SIDE * _SIDE), np.float32)


def without_shared(thumbnails: Thumbnails) -> Thumbnails:
    """Take off the mean where an average pair is alike: a fixture shows one outline, whatever the part.

    Elsewhere the mean holds little but the largest groups, and stays.
    """
    mean = thumbnails.mean(axis=0)
    if float(mean @ mean) < _SHARED:
        return thumbnails
    rest = thumbnails - mean
    lengths = np.linalg.norm(rest, axis=1, keepdims=True)
    return np.asarray(np.where(lengths < _FLAT, 0, rest / np.maximum(lengths, _FLAT)), np.float32)


def group_alike(thumbnails: Thumbnails, threshold: float = THRESHOLD) -> NDArray[np.intp]:
    """Return one group number per thumbnail: pairs at or above the threshold are joined, and pairs of pairs.

    Numbers follow the first member of each group. Raises ValueError for a threshold outside 0 to 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a correlation threshold lies above 0 and at most at 1, not at {threshold}")
    count = len(thumbnails)
    pairs = [_pairs(thumbnails, start, threshold) for start in range(0, count, _BLOCK)]
    rows, columns = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), np.intp)
    links = coo_array((np.ones(rows.size, bool), (rows, columns)), shape=(count, count))
    labels = np.asarray(connected_components(links, directed=False)[1], np.intp)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], np.intp)


def _pairs(thumbnails: Thumbnails, start: int, threshold: float) -> NDArray[np.intp]:
    """Find the pairs (2, K) of one block of rows with all rows from there on."""
    alike = thumbnails[start : start + _BLOCK] @ thumbnails[start:].T
    return np.stack(np.nonzero(alike >= threshold)) + start


def regrouped(samples: Samples, numbers: NDArray[np.intp]) -> list[str]:
    """Name each picture's group after the first picture in it (by name, or by its old group)."""
    names = [label.name or label.group for label in samples.labels]
    first: dict[int, str] = {}
    for number, name in zip(numbers.tolist(), names, strict=True):
        first.setdefault(number, name)
    return [first[number] for number in numbers.tolist()]
