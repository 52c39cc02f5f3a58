"""From a camera's picture to the network's input and back: one scale, tiles where it is large, never squashed."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_domain.words import said
from linewarden_vision.card import PictureSpec
from linewarden_vision.errors import UnusablePicture
from linewarden_vision.tiles import GRID, Size, lay_out

Pixels = NDArray[np.integer[Any] | np.floating[Any]]
"""uint8 or float32 in practice; OpenCV's stubs promise no more than this."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Network input HxWxC on the 0 to 255 scale, and how to map a mask back to ``native`` (height, width).

    ``inner`` is the (height, width) of the scaled picture inside the input, top left; the rest is
    padding. The network sees it in tiles of one size, whose top left corners are ``origins``.
    """

    pixels: Pixels
    native: Size
    inner: Size
    tile: Size
    origins: tuple[Size, ...]


def prepare_picture(picture: NDArray[np.generic], spec: PictureSpec) -> Prepared:
    """Prepare HxW or HxWx3 (RGB) uint8 or uint16 of any size; thread-safe, CPU only.

    The picture is brought to the bundle's scale and padded by its own edge to whole tiles. Takes at most
    4 bytes for each pixel and channel of the input (16 bits keep their depth), 1 for uint8. Raises
    UnusablePicture (reasons: shape, size, dtype, levels, brightness, contrast).
    """
    toned = _channels(_levels(picture, spec.levels), spec.channels)
    native = (toned.shape[0], toned.shape[1])
    inner = inner_size(native, spec)
    most = 64_000_000  # as much as the decoder lets through unscaled
    if inner[0] * inner[1] > most:
        text = f"{inner[1]} x {inner[0]} pixels at scale {spec.scale:g}; {most} in all are allowed"
        raise UnusablePicture("size", text)
    if inner != native:
        shrinks = inner[0] * inner[1] < native[0] * native[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        toned = cv2.resize(toned, (inner[1], inner[0]), interpolation=how)
    _check_exposure(toned, spec)
    layout = lay_out(inner, spec)
    below, right = layout.padded[0] - inner[0], layout.padded[1] - inner[1]
    if below or right:
        toned = cv2.copyMakeBorder(toned, 0, below, 0, right, cv2.BORDER_REPLICATE)
    pixels = np.ascontiguousarray(toned.reshape(*layout.padded, spec.channels))
    return Prepared(pixels, native, inner, layout.tile, layout.origins)


def regions(logits: NDArray[np.float32], threshold: float, peak: float | None = None) -> NDArray[np.bool_]:
    """Return the pixels (H, W) from ``threshold`` on; with ``peak``, of those regions alone that reach it somewhere.

    Two thresholds with hysteresis (Canny 1986); regions are 8-connected.
    """
    found = np.asarray(logits >= threshold, np.bool_)
    if peak is None or not found.any():
        return found
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, np.bool_)
    kept[labels[found & (logits >= peak)]] = True
    return np.asarray(kept[labels], np.bool_)


def restore_logits(logits: NDArray[np.float32], prepared: Prepared) -> NDArray[np.float32]:
    """Bring mask logits (any size, covering the whole input) to the native size."""
    height, width = prepared.pixels.shape[:2]
    if logits.shape != (height, width):
        logits = np.asarray(cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    inside = logits[: prepared.inner[0], : prepared.inner[1]]
    if prepared.inner != prepared.native:
        size = (prepared.native[1], prepared.native[0])
        inside = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return inside


def inner_size(native: Size, spec: PictureSpec) -> Size:
    """(height, width) of the scaled picture; stretched, each side is the nearest multiple of the grid."""
    grid = GRID if spec.pad == "stretch" else 1
    height, width = (max(1, round(side * spec.scale / grid)) * grid for side in native)
    return height, width


def _levels(picture: NDArray[np.generic], white: float | None) -> Pixels:
    if picture.ndim == 3 and picture.shape[2] in {2, 4}:
        text = f"{picture.shape[2]} channels: transparency cannot be inspected; save grey or RGB without alpha"
        raise UnusablePicture("shape", text)
    if picture.ndim not in {2, 3} or 0 in picture.shape or (picture.ndim == 3 and picture.shape[2] not in {1, 3}):
        raise UnusablePicture("shape", f"a picture is HxW or HxWx3, not {picture.shape}")
    if picture.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        raise UnusablePicture("dtype", f"a picture is uint8 or uint16, not {picture.dtype}")
    full = 255 if picture.dtype == np.uint8 else 65535
    if white is None or white == full:
        return np.asarray(picture, np.uint8) if full == 255 else _scaled(picture, full)
    # a depth that is not the camera's is refused: scaled wrongly, it might still look like a picture
    if white > full:
        raise UnusablePicture("levels", said("depth_other", white=white))
    brightest = int(np.asarray(picture, np.uint16).max())
    if brightest > white:
        raise UnusablePicture("levels", said("level_above_white", brightest=brightest, white=white))
    return _scaled(picture, white)


def _scaled(picture: NDArray[np.generic], white: float) -> Pixels:
    """Bring grey levels to the 0 to 255 scale; the depth is kept."""
    return np.asarray(picture, np.float32) / np.float32(white / 255)


def _channels(levels: Pixels, channels: int) -> Pixels:
    grey = levels[:, :, 0] if levels.ndim == 3 and levels.shape[2] == 1 else levels
    code = {(3, 1): cv2.COLOR_RGB2GRAY, (2, 3): cv2.COLOR_GRAY2RGB}.get((grey.ndim, channels))
    return grey if code is None else cv2.cvtColor(grey, code)


def _check_exposure(toned: Pixels, spec: PictureSpec) -> None:
    mean, deviation = (float(np.mean(part)) for part in cv2.meanStdDev(toned))
    low, high = spec.brightness
    if not low <= mean <= high:
        raise UnusablePicture("brightness", said("brightness_outside", mean=mean, low=low, high=high))
    low, high = spec.contrast
    if not low <= deviation <= high:
        raise UnusablePicture("contrast", said("contrast_outside", contrast=deviation, low=low, high=high))
