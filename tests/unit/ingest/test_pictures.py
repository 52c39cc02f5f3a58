"""JPEG and PNG pass through untouched; what is neither is encoded, and what is no picture is told."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from linewarden_ingest.cameras.interface import RawPicture
from linewarden_ingest.cameras.pictures import Encoding, Unreadable, encode, from_bytes
from tests.support import picture_files

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


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (picture_files.tiff(GREY.astype(np.float32)), "32 bit float"),
        (picture_files.tiff(GREY.astype(np.int16)), "16 bit signed"),
        (cv2.imencodemulti(".tiff", [np.asarray(GREY)] * 3)[1].tobytes(), "3 pictures"),
        (picture_files.encoded(np.zeros((8, 8, 4), np.uint8), ".webp"), "transparency"),
    ],
)
def test_what_could_only_be_carried_on_by_losing_something_is_unreadable_in_words(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        from_bytes(data, Encoding())


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint32, np.bool_])
def test_raw_samples_that_no_picture_can_carry_are_refused_rather_than_converted(kind: type) -> None:
    with pytest.raises(Unreadable, match="8 or 16 bit unsigned"):
        encode(np.zeros((8, 8), kind), Encoding())


def test_a_tag_turns_no_picture_that_is_encoded_anew() -> None:
    turned = from_bytes(picture_files.tiff(GREY, t274=6), Encoding())
    assert np.array_equal(decoded(turned.data), GREY)
