"""What is pure of a GenICam camera: block ids, pixel formats, which camera is meant, what settings agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from linewarden_ingest.cameras.aravis import aravis
from linewarden_ingest.cameras.block_ids import BlockIds, UncountableBlock
from linewarden_ingest.cameras.device import Block, FoundCamera
from linewarden_ingest.cameras.finding import chosen
from linewarden_ingest.cameras.genicam import GenicamOptions
from linewarden_ingest.cameras.interface import CameraFault
from linewarden_ingest.cameras.pictures import Unreadable
from linewarden_ingest.cameras.pixel_formats import FORMATS, picture_of
from linewarden_runtime.errors import ConfigurationError

FOUND = [
    FoundCamera("Acme-A1-77", "Acme", "A1", "77", "10.0.0.7", "GigEVision"),
    FoundCamera("Acme-A1-78", "Acme", "A1", "78", "10.0.0.8", "GigEVision"),
]


def block(name: str, data: np.ndarray, padding: int = 0) -> Block:
    code = FORMATS[name].code
    return Block(0, 1, 1_000, data.shape[1], data.shape[0], code, padding, data.tobytes())


def placed(*ids: int | None) -> list[list[int] | None]:
    """The numbers that each block settles: its own is the last, those before it are missing."""
    counted = BlockIds()
    return [None if (numbers := counted.place(one)) is None else list(numbers) for one in ids]


@pytest.mark.parametrize(
    ("before", "after", "numbers"),
    [
        (7, 8, [8]),
        (7, 10, [8, 9, 10]),
        (65_535, 1, [65_536]),  # 0 is no id of 16 bits
        (65_534, 2, [65_535, 65_536, 65_537]),
        (70_000, 70_001, [70_001]),
        (2**40, 2**40 + 1, [2**40 + 1]),
        (7, 1_008, list(range(8, 1_009))),
    ],
)
def test_block_ids_are_counted_over_their_end(before: int, after: int, numbers: list[int]) -> None:
    assert placed(before, after) == [[before], numbers]


@pytest.mark.parametrize(("before", "after"), [(7, 7), (7, 6), (40_000, 1), (70_000, 1), (7, 1_009)])
def test_block_ids_that_go_back_stand_still_or_jump_far_cannot_be_counted(before: int, after: int) -> None:
    with pytest.raises(UncountableBlock, match=f"block id {after} after {before}"):
        placed(before, after)


def test_a_block_without_an_id_is_the_next_one() -> None:
    assert placed(7, None, None, 10) == [[7], [8], [9], [10]]
    assert placed(7, None, 11) == [[7], [8], [9, 10, 11]]
    assert placed(70_000, None, 70_002) == [[70_000], [70_001], [70_002]]
    assert placed(None, None, 3) == [None, None, [1, 2, 3]]


def test_grey_of_8_and_16_bits_is_as_the_sensor_gave_it_and_fewer_bits_are_moved_up() -> None:
    eight = np.arange(12, dtype=np.uint8).reshape(3, 4)
    sixteen = np.arange(0, 4096, 342, dtype="<u2").reshape(3, 4)
    assert np.array_equal(picture_of(block("Mono8", eight)), eight)
    assert np.array_equal(picture_of(block("Mono16", sixteen)), sixteen)
    twelve = picture_of(block("Mono12", sixteen))
    assert twelve.dtype == np.uint16
    assert np.array_equal(twelve, sixteen * 16)
    assert np.array_equal(picture_of(block("Mono10", sixteen // 4)), sixteen // 4 * 64)


@pytest.mark.parametrize("name", ["BayerRG8", "BayerGR8", "BayerGB8", "BayerBG8"])
def test_a_mosaic_of_one_colour_becomes_that_colour_in_bgr(name: str) -> None:
    seen = {"R": 200, "G": 100, "B": 50}
    tile = {"BayerRG8": "RGGB", "BayerGR8": "GRBG", "BayerGB8": "GBRG", "BayerBG8": "BGGR"}[name]
    mosaic = np.tile(np.array([seen[one] for one in tile], np.uint8).reshape(2, 2), (4, 4))
    assert np.array_equal(np.unique(picture_of(block(name, mosaic)).reshape(-1, 3), axis=0), [[50, 100, 200]])


def test_colour_is_given_as_bgr() -> None:
    colour = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(picture_of(block("BGR8", colour)), colour)
    assert np.array_equal(picture_of(block("RGB8", colour)), colour[..., ::-1])


def test_what_pads_the_rows_is_no_picture() -> None:
    padded = np.arange(15, dtype=np.uint8).reshape(3, 5)
    one = replace(block("Mono8", padded), width=4, padding=1)
    assert np.array_equal(picture_of(one), padded[:, :4])


def test_too_few_bytes_and_a_format_that_is_not_known_are_no_picture() -> None:
    whole = block("Mono8", np.zeros((3, 4), np.uint8))
    with pytest.raises(Unreadable, match="11 bytes are too few for 4 x 3"):
        picture_of(replace(whole, data=whole.data[:-1]))
    with pytest.raises(Unreadable, match="0x01080099"):
        picture_of(replace(whole, pixel_format=0x01080099))


def test_a_camera_is_named_by_id_serial_or_address() -> None:
    assert {chosen(FOUND, name).serial for name in ("Acme-A1-78", "78", "10.0.0.8")} == {"78"}
    assert chosen(FOUND[:1], None).serial == "77"


def test_several_cameras_that_could_be_meant_are_listed() -> None:
    with pytest.raises(ConfigurationError, match=r"Acme-A1-77 .*; Acme-A1-78"):
        chosen(FOUND, None)


def test_a_camera_that_does_not_answer_may_come_and_who_answers_is_told() -> None:
    with pytest.raises(CameraFault, match=r"no camera 79 answers; found: Acme-A1-77"):
        chosen(FOUND, "79")


@pytest.mark.parametrize(
    "given",
    [
        {"trigger": "Line0", "rate_per_s": 2.0},
        {"trigger_counter": "frame_id"},
        {"trigger_counter": "frame_id", "trigger": "software"},
        {"interface": "eth0"},
        {"pixel_format": "Mono12Packed"},
    ],
)
def test_settings_that_contradict_each_other_or_are_unknown_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GenicamOptions.model_validate({"camera_id": "cam0", "view_id": "top"} | given)


def test_only_block_ids_as_counter_bring_visits() -> None:
    plain = GenicamOptions(camera_id="cam0", view_id="top")
    counted = GenicamOptions(camera_id="cam0", view_id="top", trigger="Line0", trigger_counter="frame_id")
    assert [(one.brings_visits, one.begins_anew) for one in (plain, counted)] == [(False, False), (True, True)]


def test_without_the_library_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'linewarden\[cameras\]'.* apt install libaravis-0\.8-0"):
        aravis.__wrapped__()


def test_a_library_that_does_not_load_or_is_another_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda _: str(tmp_path / "libaravis.so"))
    with pytest.raises(ConfigurationError, match="apt install libglib2"):
        aravis.__wrapped__()
    monkeypatch.setattr("ctypes.util.find_library", lambda _: "libm.so.6")
    with pytest.raises(ConfigurationError, match=r"libm\.so\.6 is too old: .*arv_"):
        aravis.__wrapped__()
