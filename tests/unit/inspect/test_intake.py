"""Nothing that was not captured, or that would harm the decoder, is looked at."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from linewarden_schemas.envelope import Frame
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.intake import read_frame, verify
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures import decoders
from linewarden_vision.pictures.decoders import decode
from linewarden_vision.pictures.reading import PictureLimits, read_header
from tests.support.frames import flat, frame_record, metadata, picture_bytes

LIMITS = PictureLimits(max_bytes=1 << 20, max_pixels=25_000_000)
NAMESPACE = Namespace("line1")


def bomb(width: int = 10_000, height: int = 6_000) -> bytes:
    """A small PNG that says it has 60 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * (width + 1) * 8)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    """A JPEG whose frame header was rewritten to 60000 x 60000."""
    payload = bytearray(flat(kind="jpg"))
    at = payload.index(b"\xff\xc0")
    payload[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(payload)


def alpha() -> bytes:
    return picture_bytes(np.zeros((8, 8, 4), np.uint8))


def reason(payload: bytes, sent: bytes | None = None, **changes: Any) -> Undecidable | None:
    """Why a frame is refused; None if it decodes."""
    record = frame_record(NAMESPACE, payload, sent=sent, **changes)
    try:
        frame = read_frame(record.headers, record.value, LIMITS)
        decode(frame.picture, verify(frame, LIMITS))
    except PictureRefused as refused:
        return refused.reason
    return None


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_as_captured_is_taken_in(kind: str) -> None:
    assert reason(flat(kind=kind)) is None


@pytest.mark.parametrize("kind", ["png", "jpg"])
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_single_flipped_bit_anywhere_is_seen_before_decoding(kind: str, at: int, bit: int) -> None:
    payload = flat(kind=kind)
    flipped = bytearray(payload)
    flipped[at % len(payload)] ^= 1 << bit
    assert reason(payload, sent=bytes(flipped)) is Undecidable.DIGEST_MISMATCH


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", Undecidable.NOT_A_PICTURE),
        (b"GIF89a" + bytes(100), Undecidable.NOT_A_PICTURE),
        (b"II*\0" + bytes(100), Undecidable.NOT_A_PICTURE),
        (flat(kind="jpg")[:-2], Undecidable.UNREADABLE),
        (flat(kind="jpg")[:3], Undecidable.UNREADABLE),
        (flat(kind="png")[:-1], Undecidable.UNREADABLE),
        (flat(kind="png")[:12], Undecidable.UNREADABLE),
        (b"\xff\xd8\xff\xd9", Undecidable.UNREADABLE),
        (b"\xff\xd8\xff\xe0" + bytes(50) + b"\xff\xd9", Undecidable.UNREADABLE),
        (bomb(), Undecidable.TOO_LARGE),
        (jpeg_bomb(), Undecidable.TOO_LARGE),
        (bomb(0, 5), Undecidable.UNREADABLE),
        (bomb(40, 30), Undecidable.UNREADABLE),
        (alpha(), Undecidable.UNREADABLE),
        (flat() + bytes(2 << 20), Undecidable.TOO_LARGE),
    ],
    ids=[
        "empty", "gif", "tiff", "jpeg-cut", "jpeg-magic-only", "png-cut", "png-header-cut", "jpeg-empty",
        "jpeg-no-frame", "png-bomb", "jpeg-bomb", "png-no-width", "png-rows-missing", "png-alpha", "too-many-bytes",
    ],
)  # fmt: skip
def test_what_is_no_harmless_whole_picture_is_refused(payload: bytes, expected: Undecidable) -> None:
    assert reason(payload) is expected


def test_a_bomb_is_refused_without_being_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders.Decoders, "decode", pytest.fail)
    assert reason(bomb()) is Undecidable.TOO_LARGE


def test_a_picture_announced_as_another_kind_is_refused() -> None:
    assert reason(flat(kind="jpg"), content_type="image/png") is Undecidable.NOT_A_PICTURE


def test_a_record_without_headers_is_bad_metadata() -> None:
    with pytest.raises(PictureRefused) as refused:
        read_frame((), flat(), LIMITS)
    assert refused.value.reason is Undecidable.BAD_METADATA
    assert refused.value.is_record_fault


def test_a_doubled_header_is_bad_metadata() -> None:
    record = frame_record(NAMESPACE, flat())
    with pytest.raises(PictureRefused, match="doubled"):
        read_frame((*record.headers, record.headers[0]), record.value, LIMITS)


def test_headers_beyond_their_limit_are_not_read() -> None:
    record = frame_record(NAMESPACE, flat())
    with pytest.raises(PictureRefused, match="bytes of headers"):
        read_frame((*record.headers, ("ce_more", bytes(70_000))), record.value, LIMITS)


@pytest.mark.parametrize(
    "picture",
    [
        np.tile(np.arange(30, dtype=np.uint8), (20, 1)),
        np.tile(np.arange(30, dtype=np.uint16) * 2000, (20, 1)),
        np.dstack([np.full((20, 30), level, np.uint8) for level in (10, 20, 30)]),
    ],
    ids=["grey", "grey-16-bit", "colour"],
)
def test_decoding_gives_the_pixels_as_red_green_blue(picture: NDArray[Any]) -> None:
    payload = picture_bytes(picture)
    header = read_header(payload)
    decoded = decode(payload, header)
    assert decoded.dtype == picture.dtype
    assert (header.height, header.width) == picture.shape[:2]
    expected = picture[:, :, ::-1] if picture.ndim == 3 else picture
    assert np.array_equal(decoded, expected)


@given(st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_refused_or_read_but_never_crash(junk: bytes, magic: bytes) -> None:
    payload = magic + junk
    frame = Frame(metadata(payload), payload, None)
    with suppress(PictureRefused):
        header = verify(frame, LIMITS)
        assert decode(payload, header).shape[:2] == (header.height, header.width)
