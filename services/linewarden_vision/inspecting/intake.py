"""What is checked before a picture is judged, in this order, each check cheaper than the harm it prevents.

headers -> size -> digest -> kind -> structure -> pixels -> decode -> shape. A flipped bit in a JPEG decodes
without an error, so the digest comes before everything that looks at the picture.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from linewarden_domain.words import said
from linewarden_schemas.envelope import EnvelopeError, Frame, decode_frame
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.header import PictureHeader
from linewarden_vision.pictures.reading import PictureLimits, check_size, is_wire_format, read_header


def read_frame(headers: Iterable[tuple[str, bytes]], value: bytes | None, limits: PictureLimits) -> Frame:
    """Read the headers of a frame record; the picture is not looked at.

    Raises:
        PictureRefused: BAD_METADATA, after which not even the visit is known.
    """
    listed = tuple(headers)
    size = sum(len(name) + len(content) for name, content in listed)
    if size > limits.max_header_bytes:
        why = said("headers_too_large", size=size, most=limits.max_header_bytes)
        raise PictureRefused(Undecidable.BAD_METADATA, why)
    try:
        return decode_frame(listed, value)
    except EnvelopeError as error:
        raise PictureRefused(Undecidable.BAD_METADATA, str(error)) from error


def verify(frame: Frame, limits: PictureLimits) -> PictureHeader:
    """Check that the picture is the one that was captured, and harmless to decode.

    Raises:
        PictureRefused: TOO_LARGE, DIGEST_MISMATCH, NOT_A_PICTURE or UNREADABLE.
    """
    if len(frame.picture) > limits.max_bytes:
        why = said("bytes_too_many", size=len(frame.picture), most=limits.max_bytes)
        raise PictureRefused(Undecidable.TOO_LARGE, why)
    found = digest(frame.picture)
    if not hmac.compare_digest(found, frame.meta.sha256):
        why = said("picture_other", captured=frame.meta.sha256[:12], received=found[:12])
        raise PictureRefused(Undecidable.DIGEST_MISMATCH, why)
    if not is_wire_format(frame.picture):
        begin = frame.picture[:8].hex() or "nothing"
        raise PictureRefused(Undecidable.NOT_A_PICTURE, said("picture_no_wire_format", begin=begin))
    header = read_header(frame.picture)
    if header.content_type != frame.meta.content_type:
        why = said("picture_announced_otherwise", found=header.content_type, announced=frame.meta.content_type)
        raise PictureRefused(Undecidable.NOT_A_PICTURE, why)
    check_size(header, limits)
    return header
