"""A GenICam camera against Debian's fake one: whole, with packets lost, frozen, killed and back."""

from __future__ import annotations

import random
import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from linewarden_ingest.cameras.genicam import GenicamCamera, GenicamOptions
from linewarden_ingest.cameras.interface import CameraFault, Shot
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.settings import IngestOptions
from linewarden_runtime.clock import SystemClock
from linewarden_schemas.vocabulary import CameraCondition, Loss
from tests.support.plant_gige import GigeServer
from tests.support.processes import wait_for
from tests.unit.ingest.lines import PLACE

pytestmark = [pytest.mark.plant, pytest.mark.slow]
OPTIONS = GenicamOptions(
    camera_id="cam0",
    view_id="top",
    device=GigeServer.address,
    rate_per_s=10.0,
    exposure_us=10_000.0,
    buffer_limit_s=1.0,
)


@pytest.fixture
def serial() -> str:
    return f"P{random.Random().randrange(10**6)}"


@pytest.fixture
def server(serial: str) -> Iterator[GigeServer]:
    with GigeServer(serial) as one:
        yield one


def opened(options: GenicamOptions = OPTIONS) -> GenicamCamera:
    """The camera as soon as it can be had."""
    made: list[GenicamCamera] = []

    def answers() -> bool:
        clock = SystemClock()
        try:
            made.append(options.open(CameraRun(PLACE, clock, threading.Event(), clock.now_ms())))
        except CameraFault:
            return False
        return True

    wait_for(answers, "the camera answers")
    return made[0]


def until(camera: GenicamCamera, wanted: Callable[[list[Shot]], bool]) -> list[Shot]:
    taken: list[Shot] = []

    def enough() -> bool:
        if (shot := camera.poll(0.1)) is not None:
            taken.append(shot)
        return wanted(taken)

    wait_for(enough, "shots")
    return taken


def whole(shots: list[Shot]) -> list[np.ndarray]:
    return [shot.picture for shot in shots if isinstance(shot.picture, np.ndarray)]


def is_lost(camera: GenicamCamera) -> None:
    with pytest.raises(CameraFault, match=r"gave nothing|control of it is lost") as fault:
        until(camera, lambda _: False)
    assert fault.value.shot is not None
    assert fault.value.shot.conditions == (CameraCondition.LOST,)


def test_its_pictures_arrive_as_it_draws_them(server: GigeServer) -> None:
    with closing(opened()) as camera:
        pictures = whole(until(camera, lambda taken: len(whole(taken)) == 10))
    y, x = np.indices((512, 512))
    for one in pictures:
        assert np.array_equal(one, (x + y + int(one[0, 0])) % 255)


def test_lost_packets_are_torn_pictures_and_the_camera_goes_on(serial: str) -> None:
    with GigeServer(serial, lost_per_thousand=20), closing(opened()) as camera:
        taken = until(camera, lambda taken: len(taken) == 3 * OPTIONS.buffers)
    torn = [shot for shot in taken if shot.conditions == (CameraCondition.TORN,)]
    assert len(torn) > len(taken) // 2
    assert {(shot.loss, shot.picture) for shot in torn} == {(Loss.CAMERA_FAULT, None)}
    assert [shot.index for shot in taken] == list(range(len(taken)))


def test_a_camera_that_hangs_is_lost_and_can_be_had_again(server: GigeServer) -> None:
    with closing(opened()) as camera:
        until(camera, lambda taken: len(whole(taken)) == 3)
        server.pause()
        is_lost(camera)
    server.resume()
    with closing(opened()) as camera:
        until(camera, lambda taken: len(whole(taken)) == 3)


def test_a_camera_without_power_is_lost_and_can_be_had_again(serial: str, server: GigeServer) -> None:
    with closing(opened()) as camera:
        until(camera, lambda taken: len(whole(taken)) == 3)
        server.close()
        is_lost(camera)
    with GigeServer(serial), closing(opened()) as camera:
        until(camera, lambda taken: len(whole(taken)) == 3)


def test_the_settings_of_the_guide_give_pictures(server: GigeServer) -> None:
    page = Path("docs/guides/connect-a-camera.md").read_text(encoding="utf-8")
    found = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (written,) = [one for one in found if '"genicam"' in one and "producer" not in one]
    (camera,) = IngestOptions.model_validate(tomllib.loads(written)).cameras
    assert isinstance(camera, GenicamOptions)
    with closing(opened(camera)) as one:
        assert whole(until(one, lambda taken: len(whole(taken)) == 2))[0].shape == (512, 512)
