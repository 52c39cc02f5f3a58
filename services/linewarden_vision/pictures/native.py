"""The decoders themselves, which are C and C++: called in child processes alone, see `decoders`."""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from linewarden_vision.pictures.header import PictureHeader


class Undecodable(ValueError):
    """The decoder gave up, or warned: what it gives then is not what the file holds."""


def decode(payload: bytes, header: PictureHeader) -> NDArray[np.generic]:
    """Decode to the header's shape, colours as RGB.

    Raises:
        Undecodable: where the decoder refuses the picture or warns of it.
        MemoryError: where it needs more memory than it has.
    """
    if header.content_type == "image/jpeg":
        return _jpeg(payload, header)
    try:
        decoded = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise Undecodable(f"the decoder refuses the picture: {error.code}") from error
    if decoded is None:
        raise Undecodable("the decoder cannot read the picture")
    if decoded.ndim == 2:
        return decoded
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB if decoded.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _jpeg(payload: bytes, header: PictureHeader) -> NDArray[np.generic]:
    colours = "GRAY" if header.channels == 1 else "RGB"
    try:
        decoded = simplejpeg.decode_jpeg(payload, colours, fastdct=False, fastupsample=False, strict=True)
    except ValueError as error:  # a warning of libjpeg's is one, too: `strict`
        raise Undecodable(str(error)) from error
    return np.asarray(decoded[..., 0] if header.channels == 1 else decoded)
