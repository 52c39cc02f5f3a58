"""One rule of what a picture is: what is read is read as stored, and everything else is refused in words."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.folders import pictures_below, pictures_in
from linewarden_vision.pictures.reading import PictureLimits, as_shown, read_file, read_header, read_picture
from tests.support import picture_files as files

GREY = files.textured()
COLOUR = files.textured(channels=3)
JPEG = files.encoded(GREY, ".jpg")
PNG = files.encoded(GREY, ".png")
PROGRESSIVE = files.encoded(COLOUR, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTED = files.encoded(files.textured(80, 96), ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)


def refusal(payload: bytes) -> str:
    with pytest.raises(PictureRefused) as refused:
        read_picture(payload)
    return refused.value.detail


def stored(payload: bytes) -> Any:
    """What OpenCV makes of it, as red, green, blue."""
    found = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found if found.ndim == 2 else found[..., ::-1]


@pytest.mark.parametrize("sampling", [0x111111, 0x211111, 0x221111])
@pytest.mark.parametrize("quality", [50, 95])
def test_a_jpeg_has_the_pixels_that_it_always_had_bit_by_bit(quality: int, sampling: int) -> None:
    options = (cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)
    for picture in (files.textured(33, 47, 3), GREY):
        payload = files.encoded(picture, ".jpg", *options)
        assert np.array_equal(read_picture(payload), stored(payload))
    assert np.array_equal(read_picture(PROGRESSIVE), stored(PROGRESSIVE))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp"])
@pytest.mark.parametrize("picture", [GREY, COLOUR])
def test_lossless_files_give_what_was_written(suffix: str, picture: Any) -> None:
    read = read_picture(files.encoded(picture, suffix, cv2.IMWRITE_WEBP_QUALITY, 101))
    whole = picture if picture.ndim == 2 else picture[..., ::-1]
    assert np.array_equal(read[..., 0] if read.ndim > whole.ndim else read, whole)


def test_sixteen_bits_stay_sixteen_bits() -> None:
    deep = GREY.astype(np.uint16) * 257
    assert np.array_equal(read_picture(files.encoded(deep, ".png")), deep)
    assert np.array_equal(read_picture(files.tiff(deep)), deep)


@pytest.mark.parametrize("tag", range(1, 9))
def test_an_orientation_tag_turns_nothing_in_any_format(tag: int) -> None:
    assert np.array_equal(read_picture(files.turned(JPEG, tag)), read_picture(JPEG))
    assert np.array_equal(read_picture(files.tiff(GREY, t274=tag)), GREY)
    exif = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHIHH", 0x112, 3, 1, tag, 0) + bytes(4)
    assert np.array_equal(read_picture(files.png_with(PNG, b"eXIf", exif)), GREY)


def test_what_a_browser_gets_has_the_pixels_and_no_tags() -> None:
    tagged = files.with_segment(files.turned(JPEG, 6), 0xE2, b"ICC_PROFILE\0\1\1" + bytes(40))
    assert as_shown(tagged) == JPEG
    gamma = files.png_with(files.png_with(PNG, b"gAMA", struct.pack(">I", 100_000)), b"tEXt", b"a\0b")
    assert as_shown(gamma) == PNG
    assert as_shown(b"no picture") == b"no picture"


@pytest.mark.parametrize("padding", [bytes(3), b"\xff" * 7, b"\r\n", b"\xaa" * 5, b"\xff\xd9", bytes(4096)])
def test_padding_behind_the_end_is_no_fault(padding: bytes) -> None:
    assert np.array_equal(read_picture(JPEG + padding), read_picture(JPEG))
    assert np.array_equal(read_picture(PNG + padding), GREY)


def test_anything_else_behind_the_end_is_refused() -> None:
    assert "12 bytes that are no padding" in refusal(JPEG + b"a telegram!!")
    assert "no padding" in refusal(PNG + b"a telegram")


def tiff_pages(count: int) -> bytes:
    _, data = cv2.imencodemulti(".tiff", [GREY] * count)
    return data.tobytes()


ANIMATED = files.png_with(PNG, b"acTL", struct.pack(">II", 5, 0))
GIF = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + (b"\x2c" + bytes(9) + b"\x02\x02\x44\x01\x00") * 3 + b"\x3b"


@pytest.mark.parametrize(
    ("payload", "number"),
    [
        (JPEG + JPEG, 2),
        (JPEG + bytes(9) + JPEG + JPEG, 3),
        (files.stereo(JPEG, JPEG), 2),
        (files.stereo(JPEG, b""), 2),
        (PNG + PNG, 2),
        (ANIMATED, 5),
        (tiff_pages(3), 3),
        (GIF, 3),
    ],
    ids=["two-jpegs", "three-jpegs", "stereo", "stereo-cut", "two-pngs", "animated-png", "pages", "gif"],
)
def test_several_pictures_in_a_file_are_refused_with_their_number(payload: bytes, number: int) -> None:
    assert f"{number} pictures" in refusal(payload)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_scan_data_that_is_lost_between_whole_markers_is_refused(share: float) -> None:
    assert "premature end" in refusal(files.cut_between_markers(JPEG, share))


@pytest.mark.parametrize("lost", [1, 3, 8])
def test_restart_intervals_that_are_lost_are_refused_however_many(lost: int) -> None:
    places = files.restarts(RESTARTED)
    assert "Corrupt JPEG" in refusal(RESTARTED[: places[2]] + RESTARTED[places[2 + lost] :])


def test_a_restart_marker_alone_that_is_lost_is_refused() -> None:
    place = files.restarts(RESTARTED)[2]
    assert "Corrupt JPEG" in refusal(RESTARTED[:place] + RESTARTED[place + 2 :])


def test_a_progressive_jpeg_without_its_last_scans_is_refused() -> None:
    places = files.scans(PROGRESSIVE)
    assert len(places) > 3
    for place in places[1:]:
        assert "scans of the JPEG are missing" in refusal(PROGRESSIVE[:place] + b"\xff\xd9")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[: len(data) // 2], "Not enough image data"),
        (lambda data: data[:-4] + b"abcd", "incorrect data check"),
        (lambda data: zlib.compress(zlib.decompress(data)[:-60]), "Not enough image data"),
        (lambda data: zlib.compress(zlib.decompress(data) * 2), "the decoder warns: libpng warning"),
    ],
    ids=["cut", "check-sum", "rows-missing", "rows-too-many"],
)
def test_what_libpng_only_warns_of_or_gives_up_on_is_refused(change: Any, words: str) -> None:
    assert words in refusal(files.png_data(PNG, change))
    assert np.array_equal(read_picture(PNG), GREY)  # the words of one picture are not another's


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"tEXt"])
def test_a_png_with_a_wrong_checksum_anywhere_is_refused(kind: bytes) -> None:
    payload = bytearray(files.png_with(PNG, b"tEXt", b"a\0b"))
    payload[payload.index(kind) + 4] ^= 1
    assert "checksum" in refusal(bytes(payload))


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (files.tiff(GREY.astype(np.float32)), "32 bit float"),
        (files.tiff(GREY.astype(np.float64)), "64 bit float"),
        (files.tiff(GREY.astype(np.int16)), "16 bit signed"),
        (files.tiff(COLOUR.astype(np.int16)), "16 bit signed"),
        (files.tiff(GREY.astype(np.uint32)), "32 bit unsigned"),
        (files.tiff(GREY, t258=12), "12 bit unsigned"),
        (files.tiff(GREY, t262=0), "white is 0"),
        (files.tiff(GREY, t262=3), "a palette"),
        (files.tiff(COLOUR, t262=6), "YCbCr"),
        (files.tiff(files.textured(channels=4), t262=5), "CMYK"),
        (files.tiff(COLOUR, t284=2), "a plane for each colour"),
        (files.tiff(GREY, t259=7), "compression 7"),
        (files.encoded(np.dstack([COLOUR, GREY]), ".png"), "alpha"),
        (files.png_with(PNG, b"tRNS", b"\0\7"), "transparency"),
        (files.encoded(np.dstack([COLOUR, GREY]), ".webp"), "transparency"),
        (files.tiff(GREY)[:30], "broken or cut short"),
        (files.encoded(GREY, ".bmp")[:-20], "rows are missing"),
        (files.encoded(GREY, ".webp")[:-9], "cut short"),
    ],
)
def test_samples_that_a_picture_cannot_carry_on_are_refused_with_what_was_found(payload: bytes, words: str) -> None:
    assert words in refusal(payload)


def test_a_jpeg_of_four_channels_or_twelve_bits_is_refused() -> None:
    at = JPEG.index(b"\xff\xc0")
    twelve = JPEG[: at + 4] + b"\x0c" + JPEG[at + 5 :]
    assert "at 12 bits" in refusal(twelve)
    four = JPEG[: at + 2] + struct.pack(">HBHHB", 20, 8, 40, 56, 4) + bytes(range(1, 5)) * 3 + JPEG[at + 13 :]
    assert "CMYK" in refusal(four)
    assert "arithmetic-coded" in refusal(JPEG[: at + 1] + b"\xc9" + JPEG[at + 2 :])


def test_fewer_bits_and_palettes_are_read_as_the_light_they_mean() -> None:
    two = np.where(GREY > 120, 255, 0).astype(np.uint8)
    assert np.array_equal(read_picture(files.encoded(two, ".png", cv2.IMWRITE_PNG_BILEVEL, 1)), two)


def test_a_file_names_what_is_wrong_with_it_and_other_formats_by_name(tmp_path: Path) -> None:
    with pytest.raises(PictureRefused, match="the file is missing"):
        read_file(tmp_path / "none.png")
    (tmp_path / "big.png").write_bytes(bytes(100))
    with pytest.raises(PictureRefused, match="100 bytes; 10 are allowed"):
        read_file(tmp_path / "big.png", PictureLimits(max_bytes=10))
    with pytest.raises(PictureRefused, match="HEIF") as refused:
        read_header(b"\0\0\0\x18ftypheic" + bytes(20))
    assert refused.value.reason is Undecidable.NOT_A_PICTURE


def test_hidden_files_and_companions_of_a_share_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "@eaDir").mkdir()
    (tmp_path / "a").mkdir()
    for name in ("1.png", "._1.png", ".DS_Store", "Thumbs.db", "@eaDir/1.png", "a/2.JPG", "a/._2.JPG", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in pictures_in(tmp_path)] == ["1.png"]
    assert [path.name for path in pictures_below(tmp_path)] == ["1.png", "2.JPG"]
