"""The kind `usb`: what is set is read back, and what OpenCV's reads say; by a real VideoCapture, on a file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from linewarden_ingest.cameras import usb
from linewarden_ingest.cameras.interface import CameraFault, Shot
from linewarden_ingest.cameras.live import LiveCamera
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.cameras.usb import UsbOptions, UsbReader
from linewarden_ingest.captures import CameraPlace
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import CameraCondition


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (96, 64))
    for number in range(12):
        writer.write(np.full((64, 96, 3), 20 * number, np.uint8))
    writer.release()
    return path


def options(device: Path, **given: Any) -> UsbOptions:
    return UsbOptions(camera_id="cam0", view_id="top", device=device, stale_ms=60_000, **given)


def on_file(device: Path) -> cv2.VideoCapture:
    return cv2.VideoCapture(str(device))


def opened(given: UsbOptions) -> LiveCamera:
    clock = SystemClock()
    run = CameraRun(CameraPlace("line1", "st1", "cam0", "top"), clock, threading.Event(), start_ms=0)
    return LiveCamera(str(given.device), given, run, UsbReader(given, clock, on_file))


def polled(camera: LiveCamera) -> Shot:
    while (shot := camera.poll(5.0)) is None:
        pass
    return shot


def test_pictures_come_raw_and_in_order_and_a_read_without_one_is_a_lost_camera(film: Path) -> None:
    camera = opened(options(film))
    shots = [polled(camera) for _ in range(12)]
    assert [round(float(np.asarray(one.picture).mean()) / 20) for one in shots] == list(range(12))
    assert np.asarray(shots[0].picture).shape == (64, 96, 3)
    with pytest.raises(CameraFault, match="a read gave no picture") as fault:
        polled(camera)
    assert fault.value.shot is not None
    assert fault.value.shot.conditions == (CameraCondition.LOST,)
    camera.close()


class EmptyReads:
    """Says after the first picture that there is one, and gives none, as drivers do whose cable was pulled."""

    def __init__(self, film: Path) -> None:
        self._video, self._reads = on_file(film), 0
        self.isOpened, self.release = self._video.isOpened, self._video.release

    def read(self) -> tuple[bool, Any]:
        self._reads += 1
        return self._video.read() if self._reads == 1 else (True, np.empty((0, 0, 3), np.uint8))


def test_a_read_that_says_true_and_gives_an_empty_picture_is_a_fault(film: Path) -> None:
    clock = SystemClock()
    run = CameraRun(CameraPlace("line1", "st1", "cam0", "top"), clock, threading.Event(), start_ms=0)
    camera = LiveCamera("film", options(film), run, UsbReader(options(film), clock, cast("Any", EmptyReads)))
    polled(camera)
    with pytest.raises(CameraFault, match="a read gave an empty picture"):
        polled(camera)
    camera.close()


def test_what_is_set_as_the_camera_has_it_is_taken(film: Path) -> None:
    camera = opened(options(film, width=96, height=64, fps=25.0, fourcc="MJPG"))
    assert polled(camera).picture is not None
    camera.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"width": 1920, "height": 1080}, ["width is 96, set is 1920", "height is 64, set is 1080"]),
        ({"fps": 60.0}, ["fps is 25, set is 60"]),
        ({"fourcc": "YUYV"}, ["fourcc is MJPG, set is YUYV"]),
        ({"exposure": 157.0}, ["automatic exposure is", "set is 157"]),
    ],
)
def test_a_value_that_is_clamped_or_refused_is_named_with_the_one_that_is_set(
    film: Path, given: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        opened(options(film, **given))
    for words in said:
        assert words in str(refused.value)


def test_a_device_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    run = CameraRun(CameraPlace("line1", "st1", "cam0", "top"), SystemClock(), threading.Event(), start_ms=0)
    with pytest.raises(CameraFault, match="cannot be opened: it is not there"):
        options(tmp_path / "nothing").open(run)


@pytest.mark.parametrize("index", [0, "0", "/dev/video2"])
def test_an_index_is_refused_with_the_paths_to_name_instead(
    index: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usb, "_BY_ID", tmp_path)
    with pytest.raises(ValueError, match="has none"):
        options(index)
    (tmp_path / "usb-Acme_Cam_0042-video-index0").touch()
    with pytest.raises(ValueError, match="usb-Acme_Cam_0042-video-index0"):
        options(index)
