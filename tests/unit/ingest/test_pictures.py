"""JPEG and PNG pass through untouched; what is neither is encoded, and what is no picture is told."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from linewarden_ingest.cameras.interface import RawPicture
from linewarden_ingest.cameras.pictures import Encoding, Unreadable, encode, from_bytes

GREY: RawPicture = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64).astype(np.uint8)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, np.asarray(GREY))[1].tobytes()


def decoded(data: bytes) -> RawPicture:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture.astype(np.uint16) if picture.dtype == np.uint16 else picture.astype(np.uint8)


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "image/jpeg"), (".png", "image/png")])
def test_jpeg_and_png_pass_through_byte_for_byte(suffix: str, kind: str) -> None:
    data = encoded(suffix)
    picture = from_bytes(data, Encoding("jpeg"))
    assert (picture.data, picture.content_type) == (data, kind)


def test_a_broken_jpeg_passes_through_too_since_nothing_is_decoded() -> None:
    data = b"\xff\xd8\xff" + b"no picture at all"
    assert from_bytes(data, Encoding()).data == data


@pytest.mark.parametrize("suffix", [".bmp", ".tiff"])
def test_other_formats_become_png_of_the_same_grey_values(suffix: str) -> None:
    picture = from_bytes(encoded(suffix), Encoding("png"))
    assert picture.content_type == "image/png"
    assert np.array_equal(decoded(picture.data), GREY)


def test_sixteen_bits_survive_as_png_and_are_refused_as_jpeg() -> None:
    deep: RawPicture = np.full((8, 8), 40_000, np.uint16)
    assert np.array_equal(decoded(encode(deep, Encoding("png")).data), deep)
    with pytest.raises(Unreadable, match="set its encoding to png"):
        encode(deep, Encoding("jpeg"))


@pytest.mark.parametrize("data", [b"", b"BM but not a bitmap", b"hello"])
def test_bytes_that_are_no_picture_are_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        from_bytes(data, Encoding())
