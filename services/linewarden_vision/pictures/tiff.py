"""The structure of a TIFF: how many pages, and whether its samples are what a picture can carry on."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from linewarden_vision.pictures.header import PictureHeader, several, unreadable

LITTLE, BIG = b"II*\0", b"MM\0*"
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 256, 257, 258, 259, 262, 274
_SAMPLES, _PLANAR, _EXTRA, _FORMAT = 277, 284, 338, 339
_PACKED = {1: "none", 5: "LZW", 8: "deflate", 32946: "deflate", 32773: "PackBits"}
_FORMATS = {1: "unsigned", 2: "signed", 3: "float", 4: "undefined", 5: "complex", 6: "complex float"}
_MEANINGS = {0: "white is 0", 3: "a palette", 4: "a transparency mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab"}


@dataclass(frozen=True, slots=True)
class _Tag:
    at: int
    kind: int
    values: tuple[int, ...]


def read_tiff(payload: bytes) -> PictureHeader:
    """Read a TIFF of one page: grey (black is 0) or RGB, 8 or 16 bit unsigned, or 1 bit grey.

    Raises:
        PictureRefused: UNREADABLE for several pages and all other samples, with what was found.
    """
    order = "<" if payload.startswith(LITTLE) else ">"
    try:
        pages = _pages(payload, order)
        tags = _tags(payload, order, pages[0])
    except (struct.error, IndexError) as error:
        raise unreadable("the TIFF is broken or cut short") from error
    if len(pages) > 1:
        raise several(len(pages))
    channels, depth = _samples(tags)
    width, height = _one(tags, _WIDTH, 0), _one(tags, _HEIGHT, 0)
    turned = tags.get(_ORIENTATION)
    clear = None if turned is None else (turned.at, struct.pack(f"{order}HHIHH", _ORIENTATION, 3, 1, 1, 0))
    return PictureHeader("image/tiff", width, height, channels, depth, clear=clear)


def _pages(payload: bytes, order: str) -> list[int]:
    """Places of the directories, each once."""
    found: list[int] = []
    (at,) = struct.unpack_from(f"{order}I", payload, 4)
    while at and at not in found[-1:] and len(found) < 10_000:
        if at in set(found):
            raise unreadable("the pages of the TIFF run in a circle")
        found.append(at)
        (count,) = struct.unpack_from(f"{order}H", payload, at)
        (at,) = struct.unpack_from(f"{order}I", payload, at + 2 + 12 * count)
    if not found:
        raise unreadable("the TIFF holds no picture")
    return found


def _tags(payload: bytes, order: str, page: int) -> dict[int, _Tag]:
    found: dict[int, _Tag] = {}
    (count,) = struct.unpack_from(f"{order}H", payload, page)
    for number in range(count):
        at = page + 2 + 12 * number
        tag, kind, length = struct.unpack_from(f"{order}HHI", payload, at)
        if kind not in _NUMBERS:
            continue
        length = min(length, 16)
        place = at + 8
        if length * _SIZES[kind] > 4:
            (place,) = struct.unpack_from(f"{order}I", payload, at + 8)
        found[tag] = _Tag(at, kind, struct.unpack_from(f"{order}{length}{_NUMBERS[kind]}", payload, place))
    return found


def _one(tags: dict[int, _Tag], tag: int, default: int) -> int:
    values = tags[tag].values if tag in tags else ()
    return values[0] if values else default


def _samples(tags: dict[int, _Tag]) -> tuple[int, int]:
    """Channels and depth of the decoded picture; raises PictureRefused for what would be converted without a word."""
    channels = _one(tags, _SAMPLES, 1)
    bits = set(tags[_BITS].values) if _BITS in tags else {1}
    forms = {_FORMATS.get(form, "unknown") for form in (tags[_FORMAT].values if _FORMAT in tags else (1,))}
    meaning = _one(tags, _PHOTOMETRIC, -1)
    if forms != {"unsigned"} or len(bits) != 1 or not bits <= ({1, 8, 16} if channels == 1 else {8, 16}):
        found = f"{'/'.join(map(str, sorted(bits)))} bit {'/'.join(sorted(forms))}"
        raise unreadable(f"the TIFF holds {found} samples; 8 or 16 bit unsigned are read")
    if (channels, meaning) not in {(1, 1), (3, 2)} or _EXTRA in tags:
        what = _MEANINGS.get(meaning, f"photometric interpretation {meaning}")
        raise unreadable(f"the TIFF holds {channels} channels ({what}); grey (black is 0) and RGB alone are read")
    packed = _one(tags, _COMPRESSION, 1)
    if packed not in _PACKED or _one(tags, _PLANAR, 1) != 1:
        how = f"compression {packed}" if packed not in _PACKED else "a plane for each colour"
        raise unreadable(f"a TIFF with {how} is not read; save it with none, LZW, deflate or PackBits")
    return channels, max(8, *bits)
