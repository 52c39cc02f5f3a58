"""Near-duplicates: pictures of one thing, found by the correlation of high-passed thumbnails."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from linewarden_train.data.samples import Picture, Samples

_SIDE = 32
_BLOCK = 512
_FLAT = 1e-3


def thumbnail(picture: Picture) -> NDArray[np.float32]:
    """Shrink to a grey square, take off what is smooth, and scale to mean 0 and length 1."""
    grey = np.asarray(picture, np.float32)
    if grey.ndim == 3:
        grey = grey.mean(axis=2)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    # a standard deviation of 2.5 thumbnail pixels: light and shape go, texture and edges stay
    sharp = np.asarray(small - cv2.GaussianBlur(small, (0, 0), 2.5), np.float32).ravel()
    centred = sharp - sharp.mean()
    length = float(np.linalg.norm(centred))
    return np.zeros_like(centred) if length < _FLAT else np.asarray(centred / length, np.float32)


def thumbnails_of(samples: Samples, on_picture: Callable[[int], None] = lambda _: None) -> NDArray[np.float32]:
    """Make all thumbnails (N, pixels), each of length 1 or, without texture, 0; ``on_picture`` hears how many are done.

    Where an average pair is alike, a fixture shows one outline, whatever the part: the mean of all is taken off.
    Elsewhere the mean holds little but the largest groups, and stays. Raises ValueError for an unreadable file.
    """
    made = np.zeros((len(samples), _SIDE * _SIDE), np.float32)
    for index in range(len(samples)):
        made[index] = thumbnail(samples[index].picture)
        on_picture(index + 1)
    mean = made.mean(axis=0) if len(made) else made.sum(axis=0)
    if float(mean @ mean) < 0.5:  # the average correlation of two of them
        return made
    rest = made - mean
    lengths = np.linalg.norm(rest, axis=1, keepdims=True)
    return np.asarray(np.where(lengths < _FLAT, 0, rest / np.maximum(lengths, _FLAT)), np.float32)


def group_alike(thumbnails: NDArray[np.float32], threshold: float = 0.9) -> NDArray[np.intp]:
    """Return one group number per thumbnail: pairs at or above the threshold are joined, and pairs of pairs.

    Numbers follow the first member of each group. Raises ValueError for a threshold outside 0 to 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a correlation threshold lies above 0 and at most at 1, not at {threshold}")
    count = len(thumbnails)
    pairs = [np.zeros((2, 0), np.intp)]
    for start in range(0, count, _BLOCK):  # one block of rows with all rows from there on
        alike = thumbnails[start : start + _BLOCK] @ thumbnails[start:].T
        pairs.append(np.stack(np.nonzero(alike >= threshold)) + start)
    rows, columns = np.concatenate(pairs, axis=1)
    links = coo_array((np.ones(rows.size, bool), (rows, columns)), shape=(count, count))
    labels = np.asarray(connected_components(links, directed=False)[1], np.intp)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], np.intp)


def regrouped(samples: Samples, numbers: NDArray[np.intp]) -> list[str]:
    """Name each picture's group after the first picture in it (by name, or by its old group)."""
    names = [label.name or label.group for label in samples.labels]
    first: dict[int, str] = {}
    for number, name in zip(numbers.tolist(), names, strict=True):
        first.setdefault(number, name)
    return [first[number] for number in numbers.tolist()]
