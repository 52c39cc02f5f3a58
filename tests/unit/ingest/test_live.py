"""Live cameras: what is taken of what arrives, and the number of the part in the picture."""

from __future__ import annotations

import threading
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linewarden_ingest.cameras.interface import CameraFault, RawPicture
from linewarden_ingest.cameras.live import Arrived, Inbox, LiveCamera, LiveOptions
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.cameras.rtsp import RtspOptions
from linewarden_ingest.cameras.status_line import StatusLine, with_status_line
from linewarden_ingest.captures import CameraPlace
from linewarden_ingest.metrics import NOT_TAKEN
from linewarden_ingest.settings import IngestOptions, with_cameras
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import CameraCondition, Loss


class HandFed:
    """A reader without a device: the test puts what arrives."""

    def __init__(self, options: LiveOptions, clock: ManualClock) -> None:
        self.inbox, self._clock = Inbox(options, clock), clock

    def sends(self, picture: RawPicture | None, damage: str | None = None) -> None:
        shown = None if picture is None else partial(np.asarray, picture)
        self.inbox.put(Arrived(shown, self._clock.now_ms(), self._clock.monotonic(), damage))

    def close(self) -> None:
        """Nothing is held."""


class Bench:
    """A live camera on a clock that is moved by hand."""

    def __init__(self, first: int = 0, **given: Any) -> None:
        options = RtspOptions(camera_id="bench", view_id="top", url="rtsp://bench/none", **given)
        self.clock = ManualClock(10_000)
        self.reader = HandFed(options, self.clock)
        place = CameraPlace("line1", "st1", "bench", "top")
        run = CameraRun(place, self.clock, threading.Event(), start_ms=5_000, first=first)
        self.camera = LiveCamera("bench", options, run, self.reader)


def picture(grey: int = 50, height: int = 32, width: int = 320) -> RawPicture:
    return np.full((height, width, 3), grey, np.uint8)


def not_taken(cause: str) -> float:
    return float(NOT_TAKEN.labels(camera="bench", cause=cause)._value.get())


def test_what_waited_too_long_is_left_for_a_newer_one_and_counted() -> None:
    bench, before = Bench(stale_ms=300), not_taken("stale")
    bench.reader.sends(picture(1))
    bench.clock.advance(0.2)
    bench.reader.sends(picture(2))
    bench.clock.advance(0.2)
    shot = bench.camera.poll(0.1)
    assert shot is not None
    assert (shot.index, shot.captured_ms, int(np.asarray(shot.picture)[0, 0, 0])) == (0, 10_200, 2)
    assert not_taken("stale") - before == 1


def test_in_time_none_is_left() -> None:
    bench = Bench(stale_ms=300, first=5)
    for grey in (1, 2, 3):
        bench.reader.sends(picture(grey))
    found = [bench.camera.poll(0.1) for _ in range(3)]
    assert [(one.index, int(np.asarray(one.picture)[0, 0, 0])) for one in found if one] == [(5, 1), (6, 2), (7, 3)]


def test_captured_is_when_it_was_here_less_what_is_known_of_its_way() -> None:
    bench = Bench(delay_ms=80)
    bench.reader.sends(picture())
    bench.clock.advance(0.25)
    shot = bench.camera.poll(0.1)
    assert shot is not None
    assert shot.captured_ms == 10_000 - 80


def test_damage_is_torn_and_damage_without_a_picture_is_unreadable() -> None:
    bench = Bench()
    bench.reader.sends(picture(), "lines missing")
    bench.reader.sends(None, "packets missing")
    torn, none = bench.camera.poll(0.1), bench.camera.poll(0.1)
    assert torn is not None
    assert torn.conditions == (CameraCondition.TORN,)
    assert none is not None
    assert (none.picture, none.loss, none.loss_detail) == (None, Loss.UNREADABLE, "packets missing")


def test_silence_is_a_fault_after_its_limit_and_pictures_without_an_end_of_damage_are_silence_too() -> None:
    bench = Bench(silence_s=1.0)
    for _ in range(9):
        assert bench.camera.poll(0.1) is None
        bench.reader.sends(None, "packets missing")
        assert bench.camera.poll(0.0) is not None
    bench.clock.advance(0.2)
    with pytest.raises(CameraFault, match="no picture for 1 s, the limit silence_s"):
        bench.camera.poll(0.1)


def test_what_arrived_before_the_end_is_taken_before_it_is_told() -> None:
    bench = Bench()
    bench.reader.sends(picture())
    bench.reader.inbox.end("unplugged")
    assert bench.camera.poll(0.1) is not None
    with pytest.raises(CameraFault, match="bench: unplugged") as fault:
        bench.camera.poll(0.1)
    assert fault.value.shot is not None
    assert (fault.value.shot.index, fault.value.shot.conditions) == (1, (CameraCondition.LOST,))


def test_a_rate_takes_the_newest_when_it_is_due() -> None:
    bench = Bench(rate_per_s=2.0)
    for grey in (1, 2):
        bench.reader.sends(picture(grey))
    first = bench.camera.poll(0.1)
    bench.reader.sends(picture(3))
    assert bench.camera.poll(0.2) is None
    bench.clock.advance(0.3)
    bench.reader.sends(picture(4))
    second = bench.camera.poll(0.1)
    assert first is not None
    assert second is not None
    assert [int(np.asarray(one.picture)[0, 0, 0]) for one in (first, second)] == [2, 4]


@pytest.mark.parametrize("number", [0, 1, 4711, (1 << 24) - 1])
def test_the_number_is_read_through_jpeg_and_its_line_is_cut_off(number: int) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (32, 164, 3), np.uint8)
    data = cv2.imencode(".jpg", with_status_line(noise, number), [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    above, read = StatusLine.read(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)))
    assert (read, above.shape) == (number, (32, 164, 3))


@pytest.mark.parametrize("dead", [picture(0), picture(255), picture(90, 40, 100), picture(50, 8)])
def test_a_picture_without_a_line_has_no_number(dead: RawPicture) -> None:
    assert StatusLine.read(dead)[1] is None


def test_one_wrong_block_is_no_other_number() -> None:
    whole = with_status_line(picture(), 1234)
    for block in range(40):
        row, column = divmod(block, 20)
        part = np.s_[32 + 8 * row : 40 + 8 * row, 8 * column : 8 * column + 8]
        torn = whole.copy()
        torn[part] = 255 - torn[part]
        assert StatusLine.read(torn)[1] is None


def test_each_part_is_taken_once_and_no_part_is_none() -> None:
    bench, before = Bench(status_line=True, first=8), not_taken("same_part")
    for number in (0, 7, 8, 8, 0, 10):
        bench.reader.sends(with_status_line(picture(), number))
    shots = [one for one in (bench.camera.poll(0.1) for _ in range(6)) if one]
    assert [(one.index, one.trigger and (one.trigger.counter, one.trigger.trigger_ms)) for one in shots] == [
        (8, (8, 5_000)),
        (10, (10, 5_000)),
    ]
    assert np.asarray(shots[0].picture).shape == (32, 320, 3)
    assert not_taken("same_part") - before == 4


def test_a_picture_whose_number_cannot_be_read_is_no_part_and_moves_no_count() -> None:
    bench = Bench(status_line=True)
    bench.reader.sends(with_status_line(picture(), 3))
    bench.reader.sends(picture(0, 48))
    bench.reader.sends(with_status_line(picture(), 4))
    shots = [one for one in (bench.camera.poll(0.1) for _ in range(3)) if one]
    assert [(one.index, one.trigger and one.trigger.counter, one.conditions) for one in shots] == [
        (3, 3, ()),
        (3, None, (CameraCondition.TORN,)),
        (4, 4, ()),
    ]


def test_a_count_that_goes_back_is_a_fault() -> None:
    bench = Bench(status_line=True)
    bench.reader.sends(with_status_line(picture(), 3))
    bench.reader.sends(with_status_line(picture(), 2))
    bench.camera.poll(0.1)
    with pytest.raises(CameraFault, match="went back from part 3 to 2"):
        bench.camera.poll(0.1)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_url_with_a_password_is_refused_without_showing_it(scheme: str, tmp_path: Path) -> None:
    config = tmp_path / "line.toml"
    camera = 'kind = "rtsp"\ncamera_id = "cam0"\nview_id = "top"\n'
    config.write_text(f'[[cameras]]\n{camera}url = "{scheme}://line:s3cr3t@1.2.3.4"\n')
    with pytest.raises(ConfigurationError, match="url") as refused:
        with_cameras(IngestOptions(config=config))
    assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("said", [None, "", "\n"])
def test_a_password_that_cannot_be_read_is_told_by_its_file(said: str | None, tmp_path: Path) -> None:
    if said is not None:
        (tmp_path / "password").write_text(said)
    camera = RtspOptions(
        camera_id="cam0", view_id="top", url="rtsp://127.0.0.1/none", user="line", password_file=tmp_path / "password"
    )
    run = CameraRun(CameraPlace("line1", "st1", "cam0", "top"), ManualClock(), threading.Event(), start_ms=0)
    with pytest.raises(ConfigurationError, match=r"password_file .*password"):
        camera.open(run)
