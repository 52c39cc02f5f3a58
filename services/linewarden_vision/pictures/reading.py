"""From bytes or a file to pixels: the one way, for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from linewarden_domain.words import said
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures import jpeg, png, tiff
from linewarden_vision.pictures.decoders import Picture, decode
from linewarden_vision.pictures.header import PictureHeader, unreadable
from linewarden_vision.pictures.others import named, read_bmp, read_webp


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may be at most: bytes, pixels; and on the line bytes of all headers of its record."""

    max_bytes: int = 5 << 20
    max_header_bytes: int = 64 << 10
    max_pixels: int = 25_000_000


FILE_LIMITS = PictureLimits(max_bytes=512 << 20, max_pixels=64_000_000)
"""Files are larger than what crosses a broker; pixels are bounded by the decoder's own backstop."""


def is_wire_format(payload: bytes) -> bool:
    """Whether bytes begin as what crosses the broker: JPEG or PNG."""
    return payload.startswith((jpeg.MAGIC, png.MAGIC))


def read_header(payload: bytes) -> PictureHeader:
    """What a JPEG, PNG, TIFF, BMP or WebP says of itself; nothing is decoded.

    Raises:
        PictureRefused: NOT_A_PICTURE for anything else; UNREADABLE where it is damaged, cut short, holds several
            pictures or samples that a picture cannot carry on (alpha, CMYK, float, signed, ...).
    """
    if payload.startswith(jpeg.MAGIC):
        header = jpeg.read_jpeg(payload)
    elif payload.startswith(png.MAGIC):
        header = png.read_png(payload)
    elif payload.startswith((tiff.LITTLE, tiff.BIG)):
        header = tiff.read_tiff(payload)
    elif payload.startswith(b"BM"):
        header = read_bmp(payload)
    elif payload.startswith(b"RIFF") and payload[8:12] == b"WEBP":
        header = read_webp(payload)
    else:
        raise PictureRefused(
            Undecidable.NOT_A_PICTURE, f"not a picture that is read here (JPEG, PNG, TIFF, BMP, WebP): {named(payload)}"
        )
    if header.width == 0 or header.height == 0:
        raise unreadable(f"the picture is {header.width} x {header.height} pixels")
    return header


def check_size(header: PictureHeader, limits: PictureLimits) -> None:
    """Raise PictureRefused, TOO_LARGE, for a picture of too many pixels."""
    if header.pixels > limits.max_pixels:
        detail = said("pixels_too_many", width=header.width, height=header.height, most=limits.max_pixels)
        raise PictureRefused(Undecidable.TOO_LARGE, detail)


def read_picture(payload: bytes, limits: PictureLimits = FILE_LIMITS) -> Picture:
    """Decode to HxW or HxWx3 (RGB), uint8 or uint16, as the sensor stored it: a tag turns nothing.

    Raises:
        PictureRefused: TOO_LARGE, NOT_A_PICTURE or UNREADABLE, with the reason in words.
    """
    header = read_header(payload)
    check_size(header, limits)
    return decode(payload, header)


def read_drawing(payload: bytes, limits: PictureLimits = PictureLimits()) -> Picture:
    """Decode a PNG that somebody drew, HxW, HxWx3 or HxWx4 (RGBA): what is drawn may be what is opaque.

    Raises:
        PictureRefused: TOO_LARGE, NOT_A_PICTURE or UNREADABLE.
    """
    if not payload.startswith(png.MAGIC):
        raise PictureRefused(Undecidable.NOT_A_PICTURE, f"no PNG: begins with {payload[:8].hex() or 'nothing'}")
    header = png.read_png(payload, alpha=True)
    check_size(header, limits)
    return decode(payload, header)


def read_file(path: Path, limits: PictureLimits = FILE_LIMITS) -> bytes:
    """Bytes of a picture's file.

    Raises:
        PictureRefused: TOO_LARGE; UNREADABLE where it is missing or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise PictureRefused(Undecidable.TOO_LARGE, said("bytes_too_many", size=size, most=limits.max_bytes))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise unreadable("the file is missing") from error
    except OSError as error:
        raise unreadable(f"the file cannot be read: {error.strerror}") from error


def as_shown(payload: bytes) -> bytes:
    """A picture for a browser: the same pixels without tags, by which it would turn or tint them.

    What is not read here is not judged either, and is shown as it is.
    """
    try:
        return read_header(payload).plain(payload)
    except PictureRefused:
        return payload
