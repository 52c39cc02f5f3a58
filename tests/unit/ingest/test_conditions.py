"""What is wrong with a camera, found from pictures that were drawn for it."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from linewarden_ingest.cameras.conditions import CameraLimits, ConditionJudge, content_mark, measure
from linewarden_ingest.cameras.interface import EncodedPicture, RawPicture, Shot
from linewarden_ingest.cameras.pictures import Encoding, encode
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import CameraCondition, Loss
from linewarden_vision.inspecting.refusal import PictureRefused

DARK, BRIGHT, BLURRED = CameraCondition.DARK, CameraCondition.BRIGHT, CameraCondition.BLURRED
FROZEN, SLOW, TORN = CameraCondition.FROZEN, CameraCondition.SLOW, CameraCondition.TORN
PNG, JPEG = Encoding("png"), Encoding("jpeg")


def drawn(seed: int = 1, *, light: float = 1.0, blur: float = 0.0, side: int = 240, deep: bool = False) -> RawPicture:
    """Plates with edges on a grey ground, in colour."""
    chance = np.random.default_rng(seed)
    picture = np.full((side, side, 3), 90, np.float32)
    for _ in range(30):
        x, y, w, h = (int(one) for one in chance.integers(0, side * 2 // 3, 4))
        cv2.rectangle(picture, (x, y), (x + w, y + h), tuple(map(float, chance.integers(40, 220, 3))), -1)
    if blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32)
    lit = np.clip(picture * light, 0, 255)
    return np.asarray(lit * 257, np.uint16) if deep else np.asarray(lit, np.uint8)


def judged(
    judge: ConditionJudge, *pictures: RawPicture | EncodedPicture | None, every_ms: int = 100
) -> list[tuple[CameraCondition, ...]]:
    """The conditions of pictures that come one after another; None is one that the camera did not give."""
    found = []
    for number, picture in enumerate(pictures):
        shot = Shot(number, 1_000 + number * every_ms, picture)
        encoded = picture if picture is None or isinstance(picture, EncodedPicture) else encode(picture, PNG)
        found.append(judge.judge(shot, encoded, Loss.CAMERA_FAULT if picture is None else None))
    return found


LIMITS = CameraLimits(dark=60, bright=160, focus=35)


@pytest.mark.parametrize(
    ("picture", "found"),
    [
        (drawn(), ()),
        (drawn(light=0.3), (DARK, BLURRED)),
        (drawn(light=1.9), (BRIGHT,)),
        (drawn(blur=4.0), (BLURRED,)),
        (drawn(deep=True), ()),
        (drawn(blur=4.0, deep=True), (BLURRED,)),
        (drawn(side=1500), ()),
        (drawn(side=1500, blur=12.0), (BLURRED,)),
    ],
)
@pytest.mark.parametrize("way", ["raw", "png", "jpeg"])
def test_a_picture_is_held_against_its_limits_however_it_comes(
    picture: RawPicture, found: tuple[CameraCondition, ...], way: str
) -> None:
    if way == "jpeg" and picture.itemsize == 2:
        picture = (picture // 257).astype(np.uint8)
    came = picture if way == "raw" else encode(picture, PNG if way == "png" else JPEG)
    assert judged(ConditionJudge(LIMITS, is_live=False), came) == [found]


def test_the_figures_of_a_picture_are_the_same_raw_encoded_and_of_any_depth() -> None:
    figures = [measure(one) for one in (drawn(), encode(drawn(), PNG), encode(drawn(deep=True), PNG), drawn(deep=True))]
    assert all(one.grey == pytest.approx(figures[0].grey, abs=1) for one in figures)
    assert all(one.focus == pytest.approx(figures[0].focus, rel=0.05) for one in figures)


@pytest.mark.parametrize("encoding", [PNG, JPEG])
def test_a_picture_that_is_cut_short_is_torn_and_is_not_looked_at_without_limits(encoding: Encoding) -> None:
    whole = encode(drawn(), encoding)
    cut = EncodedPicture(whole.data[: len(whole.data) // 2], whole.content_type)
    with pytest.raises(PictureRefused):
        measure(cut)
    assert judged(ConditionJudge(LIMITS, is_live=False), cut) == [(TORN,)]
    assert judged(ConditionJudge(CameraLimits(), is_live=False), cut) == [()]


def with_time(picture: EncodedPicture, told: bytes) -> EncodedPicture:
    """The same pixels under another note of when they were taken."""
    data = picture.data
    if picture.content_type == "image/jpeg":
        return EncodedPicture(data[:2] + b"\xff\xfe" + struct.pack(">H", len(told) + 2) + told + data[2:], "image/jpeg")
    chunk = b"tEXt" + told
    return EncodedPicture(
        data[:33] + struct.pack(">I", len(told)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:], "image/png"
    )


@pytest.mark.parametrize("encoding", [PNG, JPEG])
def test_the_first_repeat_of_a_live_camera_is_frozen_whatever_time_it_tells(encoding: Encoding) -> None:
    one, two = encode(drawn(1), encoding), encode(drawn(2), encoding)
    live = ConditionJudge(CameraLimits(), is_live=True)
    found = judged(live, with_time(one, b"10:00:00"), with_time(one, b"10:00:01"), two, one)
    assert found == [(), (FROZEN,), (), (FROZEN,)], "the last one repeats the picture of a ring of buffers"
    assert content_mark(one.data) != content_mark(two.data)


@pytest.mark.parametrize(
    ("frozen", "is_live", "seen"), [(None, True, True), (None, False, False), (True, False, True), (False, True, False)]
)
def test_files_may_repeat_unless_somebody_asks(frozen: bool | None, is_live: bool, seen: bool) -> None:
    judge = ConditionJudge(CameraLimits(frozen=frozen), is_live=is_live)
    assert judged(judge, drawn(), drawn()) == [(), (FROZEN,) if seen else ()]


def test_a_repeat_is_seen_over_the_death_of_a_process() -> None:
    before = digest(encode(drawn(), PNG).data)
    live = ConditionJudge(CameraLimits(), is_live=True, last_sha256=before)
    assert judged(live, drawn(), drawn(2)) == [(FROZEN,), ()]


def test_pictures_that_come_too_seldom_are_slow_and_a_picture_that_is_missing_does_not_end_the_gap() -> None:
    judge = ConditionJudge(CameraLimits(gap_s=0.15), is_live=False)
    assert judged(judge, drawn(), drawn(), None, drawn()) == [(), (), (CameraCondition.LOST,), (SLOW,)]


def test_what_the_camera_says_itself_is_passed_through_once_beside_what_is_found() -> None:
    shot = Shot(0, 1_000, drawn(light=0.3), conditions=(CameraCondition.MOVED, DARK, TORN))
    judge = ConditionJudge(CameraLimits(dark=60), is_live=True)
    assert judge.judge(shot, encode(drawn(light=0.3), PNG), None) == (DARK, TORN, CameraCondition.MOVED)


def test_limits_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ValidationError, match="must lie below"):
        CameraLimits(dark=100, bright=100)
