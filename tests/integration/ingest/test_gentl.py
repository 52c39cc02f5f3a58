"""A GenICam camera by a GenTL producer: harvesters on one side, the producer that PyPI's genicam brings on the other.

It draws three cameras with a ball that moves. What it never does, an incomplete block and a device that goes, is forced
on its own buffers and handles.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from pydantic import ValidationError

from linewarden.demo.fake_cameras import _memory_of_a_fake
from linewarden_ingest.cameras.genicam import GenicamCamera, GenicamOptions
from linewarden_ingest.cameras.gentl import GentlDevice
from linewarden_ingest.cameras.interface import CameraFault, Shot
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.cameras.read_back import put, put_feature
from linewarden_ingest.testing import TrialLine
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import CameraCondition, Loss
from tests.support.gentl_producer import simulated_producer
from tests.support.processes import DEADLINE_S, wait_for
from tests.unit.ingest.lines import PLACE

BUFFERS = 8


@pytest.fixture(scope="module")
def producer() -> Path:
    return simulated_producer()


def options(producer: Path, **more: object) -> GenicamOptions:
    given = {"camera_id": "cam0", "view_id": "top", "producer": producer, "device": "1", "pixel_format": "Mono8"}
    return GenicamOptions.model_validate(given | {"rate_per_s": 20.0, "buffers": BUFFERS} | more)


def opened(options: GenicamOptions) -> GenicamCamera:
    clock = SystemClock()
    return options.open(CameraRun(PLACE, clock, threading.Event(), clock.now_ms()))


@pytest.fixture
def camera(producer: Path) -> Iterator[GenicamCamera]:
    with closing(opened(options(producer))) as one:
        yield one


def shots(camera: GenicamCamera, count: int) -> list[Shot]:
    taken: list[Shot] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} shots"
        if (shot := camera.poll(0.1)) is not None:
            taken.append(shot)
    return taken


def device(camera: GenicamCamera) -> GentlDevice:
    assert isinstance(camera._device, GentlDevice)
    return camera._device


def test_its_pictures_come_in_their_order_and_stay_as_they_were_taken(producer: Path) -> None:
    with closing(opened(options(producer, width=200, height=120))) as camera:
        taken = shots(camera, 3)
        before = [np.array(shot.picture) for shot in taken]
        more = shots(camera, 2 * BUFFERS)  # each buffer of the ring is written again
    assert [shot.index for shot in taken + more] == list(range(3 + 2 * BUFFERS))
    assert {one.shape for one in before} == {(120, 200)}
    assert len({one.tobytes() for one in before}) == 3  # the ball moves
    assert all(np.array_equal(np.asarray(shot.picture), one) for shot, one in zip(taken, before, strict=True))


def test_incomplete_blocks_are_torn_captures_and_starve_no_ring(
    producer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gentl: Any = importlib.import_module("genicam.gentl")
    whole = gentl.Buffer.is_complete
    monkeypatch.setattr(gentl.Buffer, "is_complete", lambda one: one.frame_id not in range(4, 44) and whole(one))
    with closing(opened(options(producer))) as camera:
        taken = shots(camera, 43)
        while taken[-1].picture is None:
            taken += shots(camera, 1)
    whole_ones = [shot.index for shot in taken if shot.picture is not None]
    assert whole_ones
    assert not set(whole_ones) & set(range(3, 43))
    torn = [shot for shot in taken if shot.conditions == (CameraCondition.TORN,)]
    assert len(torn) > 2 * BUFFERS  # on a busy machine some found no buffer instead
    assert {shot.loss for shot in torn} == {Loss.CAMERA_FAULT}
    assert torn[0].loss_detail == "block 4 is not whole: its producer calls it incomplete"


def test_blocks_that_found_no_buffer_are_captures_too(producer: Path) -> None:
    taken: list[Shot] = []
    with closing(opened(options(producer, buffers=5, rate_per_s=100.0))) as camera:
        stream = device(camera)._acquirer.data_streams[0]

        def is_one_lost() -> bool:
            if device(camera)._blocks.full() and stream.num_queued == 0:
                taken.extend(shots(camera, 1))
            return any(shot.picture is None for shot in taken)

        wait_for(is_one_lost, "a picture found no buffer")
    assert [shot.index for shot in taken] == list(range(len(taken)))
    assert (taken[-1].loss, taken[-1].conditions) == (Loss.CAMERA_FAULT, (CameraCondition.LOST,))
    assert re.fullmatch(r"block \d+ did not come", taken[-1].loss_detail or "")


def test_a_camera_that_gives_no_more_is_lost_at_the_limits_end(producer: Path) -> None:
    with closing(opened(options(producer, buffer_limit_s=0.3))) as camera:
        shots(camera, 1)
        device(camera).ask("stop_acquisition")
        with pytest.raises(CameraFault, match=r"camera 1: it gave nothing for 0\.") as fault:
            shots(camera, 100)
    assert fault.value.shot is not None
    assert fault.value.shot.conditions == (CameraCondition.LOST,)


def test_triggers_and_older_names_are_set_in_the_registers_of_a_camera_that_has_them() -> None:
    from genicam import genapi  # noqa: PLC0415 - the extra gentl

    memory = _memory_of_a_fake("T1")  # the producer's cameras have no trigger; Aravis' fake one has

    class Registers(genapi.AbstractPort):  # type: ignore[misc]
        def is_open(self) -> bool:
            return True

        def get_access_mode(self) -> int:
            return int(genapi.EAccessMode.RW)

        def read(self, address: int, size: int) -> bytes:
            return bytes(memory[address : address + size])

        def write(self, address: int, data: bytes) -> None:
            memory[address : address + len(data)] = data

    nodes, port = genapi.NodeMap(), Registers()
    nodes.load_xml_from_string(bytes(memory[memory.index(b"<?xml") :]).rstrip(b"\0").decode())
    nodes.connect(port, "Device")
    acquirer = SimpleNamespace(remote_device=SimpleNamespace(node_map=nodes), add_callback=lambda *_: None)
    core: Any = importlib.import_module("harvesters.core")
    camera = GentlDevice(cast("Any", None), core, acquirer, SystemClock())

    def modes() -> dict[str, str]:
        told = {}
        for one in ("AcquisitionStart", "FrameStart"):
            nodes.TriggerSelector.value = one
            told[one] = nodes.TriggerMode.value
        return told

    nodes.TriggerSelector.value = "AcquisitionStart"
    nodes.TriggerMode.value = "On"
    put(camera, "trigger", "Software", ["set_trigger"], ["get_string", b"TriggerSource"])
    put_feature(camera, "TriggerMode", "On")
    assert modes() == {"AcquisitionStart": "Off", "FrameStart": "On"}
    camera.ask("clear_triggers")
    assert modes() == {"AcquisitionStart": "Off", "FrameStart": "Off"}
    put(camera, "exposure_us", 5000.0, ["set_exposure_time"], ["get_exposure_time"])
    assert nodes.ExposureTimeAbs.value == 5000.0


@pytest.mark.parametrize("gives", [True, False])
def test_a_camera_that_goes_is_lost_with_pictures_or_without(
    camera: GenicamCamera, monkeypatch: pytest.MonkeyPatch, gives: bool
) -> None:
    shots(camera, 1)
    if not gives:  # as a camera that waits for its line: it is asked itself
        monkeypatch.setattr(device(camera), "_fetched", lambda: None)
    device(camera)._acquirer.device.module.close()
    wait_for(device(camera).lost.is_set, "it is lost")
    with pytest.raises(CameraFault, match="control of it is lost"):
        shots(camera, 100)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"width": 5000}, r"Width is set to 5000, but the camera has \d+ \(.*Max = 800"),
        ({"rate_per_s": 5000.0}, r"rate_per_s is set to 5000\.0, but the camera has [\d.]+ \("),
        ({"pixel_format": "BayerRG8"}, r"pixel_format is set to BayerRG8, but the camera has .*cannot convert"),
        ({"exposure_us": 50.0}, "exposure_time is set to 50.0, but the camera has none: Node not existing"),
        ({"trigger": "Line0", "rate_per_s": None}, "trigger is set to Line0, but the camera has none"),
        ({"device": None}, r"several cameras could be meant .*_red \(serial 0\); "),
    ],
)
def test_what_the_camera_has_not_ends_with_both_values(producer: Path, given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        opened(options(producer, **given))
    with closing(opened(options(producer))) as camera:  # and it is given up
        shots(camera, 1)


def test_a_camera_that_does_not_answer_may_come(producer: Path) -> None:
    with pytest.raises(CameraFault, match=r"no camera 9 answers; found: VikyTL_DEV_red"):
        opened(options(producer, device="9"))


def test_a_producer_that_cannot_be_searched_says_why(producer: Path, camera: GenicamCamera) -> None:
    with pytest.raises(CameraFault, match=r"camera 1: producer .*viky\.cti: GenTL exception"):
        opened(options(producer))  # one object of a producer in a process


def test_a_file_that_is_no_producer_is_refused_before_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "text.cti").write_text("no library")
    for path, told in ((tmp_path / "none.cti", "no such file"), (tmp_path / "text.cti", "does not load")):
        with pytest.raises(ConfigurationError, match=f"(?i){told}"):
            opened(options(path))
    with pytest.raises(ConfigurationError, match="is no GenTL producer: it has no GCInitLib"):
        opened(options(Path("libm.so.6")))


def test_without_harvesters_what_to_install_is_told(producer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "harvesters.core", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'linewarden\[gentl\]'"):
        opened(options(producer))


def test_ctrl_c_stays_what_it_was(producer: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with closing(opened(options(producer))):
        assert signal.getsignal(signal.SIGINT) is before


def test_the_search_names_each_camera_with_its_producer(
    producer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.cti").write_text("no library")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", os.pathsep.join([str(producer.parent), str(tmp_path), "/none"]))
    found = [one for one in GenicamOptions.discover() if "producer" in one]
    assert [one["serial"] for one in found if one["producer"] == str(producer)] == ["0", "1", "2"]
    (broken,) = (one for one in found if "fault" in one)
    assert "does not load" in broken["fault"]


@pytest.mark.parametrize(
    "given", [{"packet_size": 1400}, {"interface": "10.0.0.1"}, {"trigger": "Line0", "trigger_counter": "frame_id"}]
)
def test_what_a_producer_settles_itself_is_not_set(producer: Path, given: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"only without a producer"):
        options(producer, **({"rate_per_s": None} | given))


def test_its_pictures_are_published(producer: Path, tmp_path: Path) -> None:
    line = TrialLine(options(producer, shots=3), tmp_path)
    line.run()
    captures = line.captures()
    assert [(one.lost, one.conditions) for one in captures] == [(None, ())] * 3
    assert {one.frame_id for one in captures} == set(line.frames())
