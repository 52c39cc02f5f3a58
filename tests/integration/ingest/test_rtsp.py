"""The kind `rtsp` against a real server: whole, cut, frozen, slow, refused, changed, damaged, and back again."""

from __future__ import annotations

import itertools
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewarden_ingest.cameras.conditions import CameraLimits
from linewarden_ingest.cameras.interface import CameraFault, RawPicture, Shot
from linewarden_ingest.cameras.live import LiveCamera
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.cameras.rtsp import RtspOptions
from linewarden_ingest.cameras.status_line import with_status_line
from linewarden_ingest.captures import CameraPlace
from linewarden_ingest.testing import TrialLine
from linewarden_ingest.worker import CameraDead
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas import ids
from linewarden_schemas.vocabulary import CameraCondition, Loss
from linewarden_vision.pictures.reading import read_picture
from tests.support.plant_rtsp import FedCamera, LossyWire, scene
from tests.support.processes import wait_for

pytestmark = pytest.mark.plant
PASSWORD = "s3cr3t/of:the@camera"


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[FedCamera]:
    with FedCamera(tmp_path / "camera.log") as running:
        yield running


def options(url: str, **given: Any) -> RtspOptions:
    return RtspOptions(camera_id="cam0", view_id="top", url=url, **({"silence_s": 0.5, "open_limit_s": 2.0} | given))


def opened(given: RtspOptions, first: int = 0) -> LiveCamera:
    place = CameraPlace("line1", "st1", given.camera_id, given.view_id)
    return given.open(CameraRun(place, SystemClock(), threading.Event(), start_ms=1_000, first=first))


def shots(camera: LiveCamera, until: Callable[[Shot], bool]) -> list[Shot]:
    found: list[Shot] = []
    wait_for(lambda: (bool(found) and until(found[-1])) or _polled(camera, found), "the shot that is waited for")
    return found


def _polled(camera: LiveCamera, found: list[Shot]) -> bool:
    if (shot := camera.poll(0.2)) is not None:
        found.append(shot)
        return False
    return False


def grey(picture: Any) -> float:
    return float(np.asarray(picture).mean())


class Trial:
    """A line that runs beside the test until its camera is dead, and is asked then why."""

    def __init__(self, line: TrialLine) -> None:
        self.line = line
        self._died: list[CameraDead] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def took(self, count: int) -> None:
        wait_for(lambda: len(self.line.captures()) >= count, f"{count} captures")

    def death(self) -> str:
        self._thread.join(30)
        assert self._died, "the camera is not dead"
        return str(self._died[0])

    def _run(self) -> None:
        try:
            self.line.run()
        except CameraDead as dead:
            self._died.append(dead)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_arrive_whole_and_in_order(camera: FedCamera, transport: str, tmp_path: Path) -> None:
    colours = np.zeros((240, 320, 3), np.uint8)
    colours[:, :160], colours[:, 160:] = (200, 60, 30), (20, 120, 230)
    camera.shows = lambda number: colours if number % 2 else scene(number % 200)
    # Every second picture is the same one, on purpose.
    trial = Trial(TrialLine(options(camera.url, transport=transport, limits=CameraLimits(frozen=False)), tmp_path))
    trial.took(10)
    camera.kill()
    trial.death()
    taken = [one for one in trial.line.captures() if one.lost is None]
    assert {one.conditions for one in taken} == {()}
    frames = trial.line.frames()
    pictures = [read_picture(frames[one.frame_id].picture) for one in taken]
    bright = [grey(one) for one in pictures if grey(one[:, :160]) != pytest.approx(grey(one[:, 160:]), abs=15)]
    assert len(bright) >= 4
    rgb = next(one for one in pictures if abs(grey(one[:, :160, 2]) - 200) < 10)
    assert rgb[120, 80].tolist() == pytest.approx([30, 60, 200], abs=6)
    assert rgb[120, 240].tolist() == pytest.approx([230, 120, 20], abs=6)


def lost(trial: Trial) -> None:
    """Nothing was passed off as a picture: the last capture says that the camera is lost, those before are whole."""
    *before, last = trial.line.captures()
    assert (last.lost, last.conditions) == (Loss.CAMERA_FAULT, (CameraCondition.LOST,))
    assert all(one.lost is None and one.sha256 for one in before)


def test_a_killed_camera_is_lost(camera: FedCamera, tmp_path: Path) -> None:
    trial = Trial(TrialLine(options(camera.url), tmp_path))
    trial.took(3)
    camera.kill()
    assert "ended its stream" in trial.death() or "reset" in trial.death()
    lost(trial)


def test_a_camera_that_hangs_with_its_connection_open_is_lost_after_its_limit(
    camera: FedCamera, tmp_path: Path
) -> None:
    trial = Trial(TrialLine(options(camera.url), tmp_path))
    trial.took(3)
    camera.pause()
    assert "for 0.5 s, the limit silence_s" in trial.death()
    lost(trial)


def test_headers_without_pictures_are_silence(camera: FedCamera, tmp_path: Path) -> None:
    trial = Trial(TrialLine(options(camera.url), tmp_path))
    trial.took(3)
    camera.shows = lambda _number: None
    assert "for 0.5 s, the limit silence_s" in trial.death()
    lost(trial)


def test_a_camera_slower_than_its_limit_is_lost_and_a_slow_one_within_it_is_not(
    camera: FedCamera, tmp_path: Path
) -> None:
    camera.shows = lambda number: scene(number) if number % 25 == 0 else None
    with pytest.raises(CameraDead, match="silence_s"):
        TrialLine(options(camera.url), tmp_path / "limit").run()
    patient = opened(options(camera.url, silence_s=10.0))
    assert len(shots(patient, lambda shot: shot.index == 1)) == 2
    camera.kill()
    patient.close()


def test_one_that_answers_no_call_is_given_up_after_its_limit(camera: FedCamera, tmp_path: Path) -> None:
    camera.pause()
    line = TrialLine(options(camera.url, open_limit_s=0.5), tmp_path)
    with pytest.raises(CameraDead, match=r"no answer for 0.5 s, the limit open_limit_s"):
        line.run()
    camera.resume()
    assert line.captures() == []


def test_one_that_is_away_is_dead_at_once_and_mints_no_visit(camera: FedCamera, tmp_path: Path) -> None:
    camera.kill()
    line = TrialLine(options(camera.url), tmp_path)
    with pytest.raises(CameraDead, match="Connection refused"):
        line.run()
    assert line.captures() == []


def test_one_that_went_and_came_back_goes_on_behind_what_is_safe(camera: FedCamera, tmp_path: Path) -> None:
    trial = Trial(TrialLine(options(camera.url), tmp_path))
    trial.took(3)
    camera.kill()
    trial.death()
    before = len(trial.line.captures())
    camera.come_back()
    again = Trial(trial.line)
    again.took(before + 3)
    camera.kill()
    again.death()
    captures = trial.line.captures()
    assert [one.sequence for one in captures] == list(range(len(captures)))
    assert [one.sequence for one in captures if one.lost] == [before - 1, len(captures) - 1]


def test_another_resolution_is_a_fault_that_names_both(camera: FedCamera, tmp_path: Path) -> None:
    trial = Trial(TrialLine(options(camera.url), tmp_path))
    trial.took(3)
    camera.shows = lambda number: scene(number % 200, 120, 160)
    assert "sends 160 x 120 pixels instead of 320 x 240" in trial.death()
    lost(trial)
    with pytest.raises(CameraDead, match="sends 160 x 120 pixels instead of 320 x 240"):
        TrialLine(options(camera.url, width=320, height=240), tmp_path / "set").run()


def test_the_last_picture_sent_again_is_the_same_bit_by_bit(camera: FedCamera, tmp_path: Path) -> None:
    trial = Trial(TrialLine(options(camera.url), tmp_path))
    trial.took(3)
    camera.shows = lambda _number: scene(77)
    trial.took(len(trial.line.captures()) + 12)
    camera.kill()
    trial.death()
    digests = [one.sha256 for one in trial.line.captures() if one.lost is None]
    assert len(set(digests[-4:])) == 1, "by which ingest finds it frozen"


def test_a_wrong_password_ends_ingest_and_is_shown_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "right").write_text(f"{PASSWORD}\n")
    (tmp_path / "wrong").write_text("an0ther/one\n")
    words = ("--user", "line", "--password-file", str(tmp_path / "right"))
    with FedCamera(tmp_path / "camera.log", *words) as camera, caplog.at_level(logging.DEBUG):
        wrong = options(camera.url, user="line", password_file=tmp_path / "wrong")
        with pytest.raises(ConfigurationError, match="refuses user line or the password") as refused:
            TrialLine(wrong, tmp_path / "refused").run()
        with pytest.raises(ConfigurationError, match="refuses who gives no user"):
            TrialLine(options(camera.url), tmp_path / "nobody").run()
        trial = Trial(TrialLine(options(camera.url, user="line", password_file=tmp_path / "right"), tmp_path))
        trial.took(3)
        camera.pause()
        death = trial.death()
        camera.resume()
    told = "".join([*traceback.format_exception(refused.value), death, repr(wrong), caplog.text, *capfd.readouterr()])
    for secret in ("an0ther", "s3cr3t", "of%3Athe"):
        assert secret not in told


def test_of_lost_packets_of_whole_pictures_there_is_a_capture_without_picture(
    camera: FedCamera, tmp_path: Path
) -> None:
    camera.shows = _busy
    with LossyWire(camera.server.port) as wire:
        trial = Trial(TrialLine(options(f"rtsp://127.0.0.1:{wire.port}/camera"), tmp_path))
        trial.took(3)
        wire.mangle = every_150th_lost()
        wait_for(lambda: any(one.lost for one in trial.line.captures()), "a picture lost")
        camera.kill()
        trial.death()
    *captures, _death = trial.line.captures()
    found = [one for one in captures if one.lost]
    assert {one.lost for one in found} == {Loss.UNREADABLE}
    assert "dropping frame" in str(found[0].lost_detail)


def test_after_lost_packets_all_is_torn_up_to_the_next_whole_picture(tmp_path: Path) -> None:
    with (
        FedCamera(tmp_path / "camera.log", "--codec", "h264") as camera,
        LossyWire(camera.server.port) as wire,
    ):
        camera.shows = _busy
        live = opened(options(f"rtsp://127.0.0.1:{wire.port}/camera", silence_s=5.0))
        before = shots(live, lambda shot: shot.index == 12)
        assert {one.conditions for one in before} == {()}
        wire.mangle = LostBehindKey()
        torn = shots(live, lambda shot: bool(shot.conditions) or shot.picture is None)[-1]
        after = shots(live, lambda shot: shot.picture is not None and not shot.conditions)
        assert len(after) > 4, "those between are told as differences to the torn one, though the decoder is content"
        assert {one.conditions for one in after[:-1]} <= {(CameraCondition.TORN,), ()}
        assert after[-1].index <= torn.index + 12
        camera.kill()
        live.close()


def every_150th_lost() -> Callable[[bytes], bytes | None]:
    """Loses a packet of every second or third picture."""
    count = itertools.count()
    return lambda packet: packet if next(count) % 150 else None


class LostBehindKey:
    """Loses one packet, of the first picture that is told as a difference to a whole one (RFC 6184)."""

    def __init__(self) -> None:
        self._whole = self._done = False

    def __call__(self, packet: bytes) -> bytes | None:
        kind, part = packet[12] & 31, packet[13]
        self._whole |= kind == 7  # the parameters before a whole picture
        if self._whole and not self._done and kind == 28 and part & 31 == 1 and not part & 0x80:
            self._done = True
            return None
        return packet


def _busy(number: int) -> RawPicture:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    return np.roll(noise, 3 * number, axis=1)


def test_a_line_that_was_held_is_given_no_old_picture(camera: FedCamera) -> None:
    live = opened(options(camera.url, stale_ms=0))
    shots(live, lambda _shot: True)
    held_until = camera.sent + 20
    wait_for(lambda: camera.sent >= held_until, "pictures that nobody takes")
    newest = shots(live, lambda _shot: True)[-1]
    assert grey(newest.picture) >= held_until - 10
    live.close()


def test_with_a_rate_the_newest_is_taken_so_often(camera: FedCamera) -> None:
    live = opened(options(camera.url, rate_per_s=5.0))
    found = shots(live, lambda shot: shot.index == 4)
    steps = np.diff([grey(one.picture) for one in found])
    assert (steps > 2).all(), "25 pictures a second come, 5 are taken"
    live.close()


def test_the_status_line_names_each_part_once(camera: FedCamera, tmp_path: Path) -> None:
    numbers = {0: 0, 1: 7, 2: 8, 3: 10}
    camera.shows = lambda number: with_status_line(scene(number % 200), numbers.get(number // 10, 11))
    given = options(camera.url, status_line=True)
    trial = Trial(TrialLine(given, tmp_path))
    trial.took(4)
    camera.kill()
    trial.death()
    *parts, _death = trial.line.captures()
    assert [one.visit_id for one in parts] == [ids.visit_id("line1", "st1", 1_000, number) for number in (7, 8, 10, 11)]
    frames = trial.line.frames()
    assert read_picture(frames[parts[0].frame_id].picture).shape[:2] == (240, 320)
    assert given.brings_visits


def test_a_count_that_goes_back_is_a_fault_also_for_the_next_process(camera: FedCamera) -> None:
    camera.shows = lambda number: with_status_line(scene(number % 200), 9)
    live = opened(options(camera.url, status_line=True))
    assert shots(live, lambda _shot: True)[-1].index == 9
    camera.shows = lambda number: with_status_line(scene(number % 200), 3)
    with pytest.raises(CameraFault, match="went back from part 9 to 3"):
        shots(live, lambda _shot: False)
    live.close()
    again = opened(options(camera.url, status_line=True), first=10)
    with pytest.raises(CameraFault, match="went back from part 9 to 3"):
        shots(again, lambda _shot: False)
    again.close()
