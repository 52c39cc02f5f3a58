"""From a camera's picture to the network's input and back: letterbox, never squash, never enlarge."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_vision.card import PictureSpec
from linewarden_vision.errors import UnusablePicture

Pixels = NDArray[np.integer[Any] | np.floating[Any]]
"""uint8 or float32 in practice; OpenCV's stubs promise no more than this."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Network input HxWxC on the 0 to 255 scale, and how to map a mask back to ``native`` (height, width).

    ``inner`` is the (height, width) of the picture inside the input, top left; the rest is padding.
    """

    pixels: Pixels
    native: tuple[int, int]
    inner: tuple[int, int]


def prepare_picture(picture: NDArray[np.generic], spec: PictureSpec) -> Prepared:
    """Prepare HxW or HxWx3 (RGB) uint8 or uint16; thread-safe, CPU only.

    Larger pictures shrink with their aspect kept; smaller ones are padded by their own edge.
    Raises UnusablePicture (reasons: shape, dtype, brightness, contrast).
    """
    levels = _levels(picture)
    toned = _channels(levels, spec.channels)
    native = (toned.shape[0], toned.shape[1])
    scale = min(1.0, spec.height / native[0], spec.width / native[1])
    inner = (max(1, round(native[0] * scale)), max(1, round(native[1] * scale)))
    if inner != native:
        toned = cv2.resize(toned, (inner[1], inner[0]), interpolation=cv2.INTER_AREA)
    _check_exposure(toned, spec)
    below, right = spec.height - inner[0], spec.width - inner[1]
    if below or right:
        toned = cv2.copyMakeBorder(toned, 0, below, 0, right, cv2.BORDER_REPLICATE)
    pixels = np.ascontiguousarray(toned.reshape(spec.height, spec.width, spec.channels))
    return Prepared(pixels, native, inner)


def restore_mask(logits: NDArray[np.float32], prepared: Prepared, threshold: float) -> NDArray[np.bool_]:
    """Turn mask logits (any size, covering the whole input) into a mask of the native size."""
    height, width = prepared.pixels.shape[:2]
    if logits.shape != (height, width):
        logits = np.asarray(cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    inside = logits[: prepared.inner[0], : prepared.inner[1]]
    if prepared.inner != prepared.native:
        size = (prepared.native[1], prepared.native[0])
        inside = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return np.asarray(inside >= threshold, np.bool_)


def _levels(picture: NDArray[np.generic]) -> Pixels:
    if picture.ndim not in {2, 3} or 0 in picture.shape or (picture.ndim == 3 and picture.shape[2] not in {1, 3}):
        raise UnusablePicture("shape", f"a picture is HxW or HxWx3, not {picture.shape}")
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    if picture.dtype == np.uint16:
        return np.asarray(picture, np.float32) / np.float32(257)  # 65535 -> 255, the depth is kept
    raise UnusablePicture("dtype", f"a picture is uint8 or uint16, not {picture.dtype}")


def _channels(levels: Pixels, channels: int) -> Pixels:
    grey = levels[:, :, 0] if levels.ndim == 3 and levels.shape[2] == 1 else levels
    code = {(3, 1): cv2.COLOR_RGB2GRAY, (2, 3): cv2.COLOR_GRAY2RGB}.get((grey.ndim, channels))
    return grey if code is None else cv2.cvtColor(grey, code)


def _check_exposure(toned: Pixels, spec: PictureSpec) -> None:
    mean, deviation = (float(np.mean(part)) for part in cv2.meanStdDev(toned))
    low, high = spec.brightness
    if not low <= mean <= high:
        raise UnusablePicture("brightness", f"mean grey level {mean:.0f} lies outside {low:.0f} to {high:.0f}")
    low, high = spec.contrast
    if not low <= deviation <= high:
        raise UnusablePicture("contrast", f"contrast {deviation:.1f} lies outside {low:.1f} to {high:.1f}")
