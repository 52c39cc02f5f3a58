"""Pixel formats of GenICam cameras, and the picture in a block of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from linewarden_ingest.cameras.device import Block
from linewarden_ingest.cameras.interface import RawPicture
from linewarden_ingest.cameras.pictures import Unreadable


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """A format by its code of the PFNC; `shift` fills 16 bits, `bayer` is OpenCV's name of the mosaic."""

    code: int
    depth: Literal[8, 16] = 8
    channels: Literal[1, 3] = 1
    shift: int = 0
    bayer: str | None = None
    is_rgb: bool = False


FORMATS = {
    "Mono8": PixelFormat(0x01080001),
    "Mono10": PixelFormat(0x01100003, 16, shift=6),
    "Mono12": PixelFormat(0x01100005, 16, shift=4),
    "Mono16": PixelFormat(0x01100007, 16),
    "BayerGR8": PixelFormat(0x01080008, bayer="GRBG"),
    "BayerRG8": PixelFormat(0x01080009, bayer="RGGB"),
    "BayerGB8": PixelFormat(0x0108000A, bayer="GBRG"),
    "BayerBG8": PixelFormat(0x0108000B, bayer="BGGR"),
    "RGB8": PixelFormat(0x02180014, channels=3, is_rgb=True),
    "BGR8": PixelFormat(0x02180015, channels=3),
}
BY_CODE = {one.code: one for one in FORMATS.values()}


def picture_of(block: Block) -> RawPicture:
    """A whole block as ingest takes it: grey (HxW) or colour (HxWx3 BGR), 8 bits, or 16 bits that are filled.

    Raises:
        Unreadable: where bytes are missing, or the format is none of ours.
    """
    known = BY_CODE.get(block.pixel_format)
    if known is None:
        raise Unreadable(f"its pixel format is 0x{block.pixel_format:08x}; {', '.join(FORMATS)} are known")
    row = block.width * known.channels * known.depth // 8
    if not block.height or len(block.data) < (row + block.padding) * block.height - block.padding:
        raise Unreadable(f"{len(block.data)} bytes are too few for {block.width} x {block.height}")
    data = np.frombuffer(block.data.ljust((row + block.padding) * block.height, b"\0"), np.uint8)
    rows = data[: (row + block.padding) * block.height].reshape(block.height, -1)[:, :row]
    if known.depth == 16:
        return np.ascontiguousarray(rows).view("<u2") << known.shift
    picture = np.ascontiguousarray(rows)
    if known.bayer is not None:
        import cv2  # noqa: PLC0415 - the supervisor, which reads the options, stays small

        return cv2.cvtColor(picture, getattr(cv2, f"COLOR_Bayer{known.bayer}2BGR"))
    if known.channels == 1:
        return picture
    colour = picture.reshape(block.height, block.width, 3)
    return colour[..., ::-1] if known.is_rgb else colour
