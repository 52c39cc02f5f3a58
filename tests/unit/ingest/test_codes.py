"""Serials from codes in the picture, and what happens where the side channel told another."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from linewarden_ingest.cameras.codes import CodeOptions, CodeReadingCamera
from linewarden_ingest.cameras.interface import EncodedPicture, PartInfo, RawPicture, Shot
from linewarden_ingest.cameras.pictures import Encoding, encode
from linewarden_ingest.metrics import CODES
from linewarden_schemas.vocabulary import PartIdSource

LINE = PartInfo("SN-1", PartIdSource.TRACKED, "L-7")
Grey = np.ndarray[Any, np.dtype[np.uint8]]
LEFT = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
FIRST = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")


def qr(text: str) -> Grey:
    modules = cv2.QRCodeEncoder.create().encode(text)
    large = cv2.resize(modules, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.copyMakeBorder(large, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255), dtype=np.uint8)


def ean13(digits: str) -> Grey:
    """Drawn after GS1's table: left half by the first digit's parities, right half inverted."""
    right = ["".join("10"[int(bit)] for bit in code) for code in LEFT]
    even = [code[::-1] for code in right]
    coded = zip(FIRST[int(digits[0])], digits[1:7], strict=True)
    left = "".join((LEFT if kind == "L" else even)[int(digit)] for kind, digit in coded)
    bits = f"101{left}01010{''.join(right[int(digit)] for digit in digits[7:])}101"
    bars = np.array([0 if bit == "1" else 255 for bit in bits], np.uint8)
    large = np.repeat(np.tile(bars, (300, 1)), 4, axis=1)
    return np.asarray(cv2.copyMakeBorder(large, 160, 160, 160, 160, cv2.BORDER_CONSTANT, value=255), dtype=np.uint8)


class One:
    def __init__(self, shot: Shot | None) -> None:
        self._shot = shot

    def poll(self, timeout_s: float) -> Shot | None:
        return self._shot

    def close(self) -> None:
        """Nothing is held."""


def looked_at(picture: RawPicture | EncodedPicture | None, part: PartInfo | None = None, **options: object) -> Shot:
    shot = Shot(0, 1, picture, part=part or PartInfo())
    read = CodeReadingCamera(One(shot), CodeOptions.model_validate(options), "cam0").poll(0.1)
    assert read is not None
    return read


def counted(outcome: str) -> float:
    return float(CODES.labels(camera="cam0", outcome=outcome)._value.get())


@pytest.mark.parametrize("deep", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_code_is_read_from_every_picture_that_a_camera_gives(deep: type, colour: bool, encoded: bool) -> None:
    before = counted("read")
    grey: RawPicture = qr("SN-1").astype(deep) * (257 if deep is np.uint16 else 1)
    raw = np.dstack([grey] * 3) if colour else grey
    part = looked_at(encode(raw, Encoding()) if encoded else raw).part
    assert (part.part_id, part.part_id_source) == ("SN-1", PartIdSource.READ)
    assert counted("read") == before + 1


def test_a_bar_code_is_read_and_its_serial_is_a_group_of_the_pattern() -> None:
    picture = ean13("4006381333931")
    assert looked_at(picture, kinds=["bar"]).part.part_id == "4006381333931"
    read = looked_at(picture, kinds=["qr", "bar"], pattern=r"400(?P<serial>\d{9})\d")
    assert read.part.part_id == "638133393"


def test_a_code_that_says_what_was_told_confirms_it() -> None:
    shot = looked_at(qr("SN-1"), LINE)
    assert shot.doubt is None
    assert shot.part == PartInfo("SN-1", PartIdSource.READ, "L-7")


def test_a_code_that_says_another_serial_than_was_told_diverts_with_both_in_words() -> None:
    before = counted("differs")
    shot = looked_at(qr("SN-2"), LINE)
    assert shot.doubt == "the code on the part reads SN-2, the side channel told SN-1"
    assert (shot.part.part_id, shot.part.lot_id) == (None, "L-7")
    assert counted("differs") == before + 1


def test_several_codes_divert_but_for_those_of_others() -> None:
    both = np.hstack([qr("SN-1"), qr("SN-2")])
    shot = looked_at(both, LINE)
    assert shot.part.part_id is None
    assert shot.doubt == "the picture shows several codes: SN-1, SN-2; the side channel told SN-1"
    assert looked_at(both, LINE, pattern="SN-1").doubt is None
    right = (both.shape[1] // 2, 0, both.shape[1], both.shape[0])
    assert looked_at(both, region=right).part.part_id == "SN-2"


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (np.full((200, 200), 128, np.uint8), "no code was found"),
        (qr("a serial with blanks"), "is not an id"),
        (EncodedPicture(b"\x89PNG\r\n\x1a\nrubbish", "image/png"), "is cut short"),
        (np.zeros((3, 3), np.uint8), "outside the picture"),
    ],
)
def test_a_code_that_cannot_be_read_diverts_only_where_it_must_be(
    picture: RawPicture | EncodedPicture, why: str
) -> None:
    before = counted("unreadable")
    region = (5, 0, 900, 900)
    shot = looked_at(picture, LINE, region=region)
    assert (shot.doubt, shot.part) == (None, LINE)
    assert counted("unreadable") == before + 1
    doubt = looked_at(picture, must_read=True, region=region).doubt
    assert doubt is not None
    assert doubt.startswith("the part's code cannot be read: ")
    assert why in doubt


def test_a_lost_picture_is_passed_on_as_it_is() -> None:
    assert looked_at(None, LINE, must_read=True).doubt is None


@pytest.mark.parametrize(
    "wrong", [{"kinds": []}, {"region": (0, 0, 0, 5)}, {"pattern": "("}, {"kinds": ["datamatrix"]}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CodeOptions.model_validate(wrong)
