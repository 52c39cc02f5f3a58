"""Small pictures for a page, as data in it: as captured, and with the machine's mask drawn over."""

from __future__ import annotations

from base64 import b64encode

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.reading import read_picture


def shown(picture: bytes | None, mask_png: bytes | None) -> tuple[str, str | None] | None:
    """The picture, and the same with the outline of the mask where there is one; None for what is no picture."""
    found = _decoded(picture)
    if found is None:
        return None
    coloured = cv2.cvtColor(found, cv2.COLOR_GRAY2BGR if found.ndim == 2 else cv2.COLOR_RGB2BGR)
    whole = np.asarray(coloured, np.uint8)  # blue, green, red, as OpenCV draws and writes
    mask = _decoded(mask_png)
    if mask is None or mask.ndim != 2 or mask.shape != whole.shape[:2] or not mask.any():
        return _inline(whole), None
    marked = whole.copy()
    edges, _ = cv2.findContours((mask > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(marked, edges, -1, (0, 0, 255), 1)
    return _inline(whole), _inline(marked)


def _decoded(payload: bytes | None) -> NDArray[np.uint8] | None:
    try:
        found = read_picture(payload or b"")
    except PictureRefused:
        return None
    deep = np.asarray(found, np.uint16)
    return np.asarray(deep >> 8 if found.dtype == np.uint16 else deep, np.uint8)


def _inline(picture: NDArray[np.uint8]) -> str:
    scale = min(1.0, 320 / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    done, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be written as JPEG")
    return f"data:image/jpeg;base64,{b64encode(encoded.tobytes()).decode()}"
