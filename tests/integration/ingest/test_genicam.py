"""A GenICam camera over the wire: Aravis on one side, fake GigE cameras of our own on the other."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from linewarden.demo.fake_cameras import FakeGigeCamera, fake_station
from linewarden_ingest.cameras.aravis import aravis
from linewarden_ingest.cameras.device import GenicamError
from linewarden_ingest.cameras.genicam import GenicamCamera, GenicamOptions
from linewarden_ingest.cameras.interface import CameraFault, EndOfPictures, Shot
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.cameras.simulation import LinePlan, draw_view, plan_visit
from linewarden_ingest.testing import TrialLine
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import CameraCondition, Loss
from tests.support.counting_gige import CountingGigeCamera
from tests.support.processes import DEADLINE_S, wait_for
from tests.unit.ingest.lines import PLACE

SHAPE = (48, 64)
_COUNT = itertools.count(random.Random(os.getpid()).randrange(1, 200) * 250)  # this process's own


def address() -> str:
    """One that no other test has."""
    number = next(_COUNT)
    return f"127.{100 + number // 62_500 % 100}.{number // 250 % 250}.{number % 250 + 1}"


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, SHAPE, np.uint8)


def shown(number: int) -> bytes:
    return picture(number).tobytes()


@pytest.fixture
def fake() -> Iterator[FakeGigeCamera]:
    with FakeGigeCamera(address(), "T1", shown) as one:
        yield one


def options(fake: FakeGigeCamera, **more: object) -> GenicamOptions:
    given = {"camera_id": "cam0", "view_id": "top", "device": fake.address, "width": SHAPE[1], "height": SHAPE[0]}
    return GenicamOptions.model_validate(given | more)


def opened(options: GenicamOptions, first: int = 0, start_ms: int | None = None) -> GenicamCamera:
    clock = SystemClock()
    start_ms = clock.now_ms() if start_ms is None else start_ms
    return options.open(CameraRun(PLACE, clock, threading.Event(), start_ms, first))


def shots(camera: GenicamCamera, count: int) -> list[Shot]:
    taken: list[Shot] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} shots"
        if (shot := camera.poll(0.1)) is not None:
            taken.append(shot)
    return taken


def until(camera: GenicamCamera, wanted: Callable[[Shot], bool]) -> list[Shot]:
    """All shots up to the first that is wanted."""
    taken = shots(camera, 1)
    while not wanted(taken[-1]):
        taken += shots(camera, 1)
    return taken


def shows(shot: Shot, number: int) -> bool:
    return isinstance(shot.picture, np.ndarray) and np.array_equal(shot.picture, picture(number))


@contextmanager
def triggered(fake: FakeGigeCamera, **more: object) -> Iterator[GenicamCamera]:
    """A camera whose pictures come when the test fires, so that it knows which."""
    with closing(opened(options(fake, trigger="Line0", **more))) as camera:
        wait_for(lambda: fake.is_taking, "the camera is started")
        yield camera


def test_each_picture_arrives_bit_by_bit_over_the_end_of_the_block_ids() -> None:
    with (
        FakeGigeCamera(address(), "T1", shown, first_id=65_530) as fake,
        closing(opened(options(fake, trigger="Line0"), first=5)) as camera,
    ):
        wait_for(lambda: fake.is_taking, "the camera is started")
        for number in range(12):
            before = SystemClock().now_ms()
            assert fake.fire()
            (shot,) = shots(camera, 1)
            assert (shot.index, shows(shot, number)) == (5 + number, True)
            assert before <= shot.captured_ms <= SystemClock().now_ms()


def test_packets_that_are_lost_are_asked_for_again(fake: FakeGigeCamera) -> None:
    fake.loses = lambda _block, packet: packet == 2
    with triggered(fake) as camera:
        for number in range(3):
            fake.fire()
            (shot,) = shots(camera, 1)
            assert shows(shot, number)


def test_what_is_not_whole_is_a_shot_without_picture_and_the_ring_does_not_starve(fake: FakeGigeCamera) -> None:
    fake.resends, fake.loses = False, lambda block, packet: block < 100 and packet == 2
    with triggered(fake, buffers=20) as camera:
        for _ in range(5):
            for _ in range(20):
                fake.fire()
            for torn in shots(camera, 20):
                assert (torn.picture, torn.loss, torn.conditions) == (None, Loss.CAMERA_FAULT, (CameraCondition.TORN,))
                assert "not whole" in (torn.loss_detail or "")
        fake.fire()
        (whole,) = shots(camera, 1)
    assert (whole.index, shows(whole, 100)) == (100, True)


def test_a_picture_is_not_touched_by_those_that_fill_its_buffer_again(fake: FakeGigeCamera) -> None:
    with triggered(fake, buffers=2) as camera:
        fake.fire()
        (first,) = shots(camera, 1)
        for _ in range(4):
            fake.fire()
            shots(camera, 1)
    assert shows(first, 0)


def test_each_block_id_that_is_missing_is_a_shot_of_its_own(fake: FakeGigeCamera) -> None:
    with triggered(fake, trigger_counter="frame_id") as camera:
        fake.fire()
        fake.skip(3)
        fake.fire()
        taken = shots(camera, 5)
    assert [shot.index for shot in taken] == [0, 1, 2, 3, 4]
    assert [shot.trigger.counter for shot in taken if shot.trigger] == [1, 2, 3, 4, 5]
    assert [shot.conditions for shot in taken] == [(), *[(CameraCondition.LOST,)] * 3, ()]
    assert shows(taken[-1], 1)


def test_pictures_that_found_no_buffer_are_missing_ids(fake: FakeGigeCamera) -> None:
    with triggered(fake, buffers=2, trigger_counter="frame_id") as camera:
        for _ in range(6):
            fake.fire()  # nobody polls
        taken = until(camera, lambda shot: shot.index == 1)
        while not any(shows(taken[-1], number) for number in range(6, fake.sent)):
            fake.fire()  # more than once on a busy machine, where one of the six may take the buffer that is free again
            taken += filter(None, [camera.poll(0.1)])
    assert [shot.trigger.counter for shot in taken if shot.trigger] == list(range(1, len(taken) + 1))
    assert all(shot.picture is None or shows(shot, number) for number, shot in enumerate(taken))
    assert not any(taken[number].picture is None for number in (0, 1, -1))


@pytest.mark.parametrize("nameless", [{2, 5}, {0, 1, 4}])
def test_a_block_without_its_first_packet_is_counted_where_it_came(fake: FakeGigeCamera, nameless: set[int]) -> None:
    fake.resends, fake.loses = False, lambda block, packet: block in nameless and packet == 0
    with triggered(fake, buffers=2, trigger_counter="frame_id") as camera:
        taken: list[Shot] = []
        for number in range(8):
            fake.fire()
            if set(range(number + 1)) - nameless:
                taken += shots(camera, number + 1 - len(taken))
                continue
            while camera._ids.nameless <= number:  # what comes first without its id waits for one that has it
                assert camera.poll(0.1) is None
    assert [shot.trigger.counter for shot in taken if shot.trigger] == list(range(1, 9))
    assert {number for number, shot in enumerate(taken) if not shows(shot, number)} == nameless


def test_a_far_jump_is_one_fault(fake: FakeGigeCamera) -> None:
    with triggered(fake) as camera:
        fake.fire()
        shots(camera, 1)
        fake.skip(1_001)
        fake.fire()
        with pytest.raises(CameraFault, match="block id 1003 after 1"):
            shots(camera, 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rate_per_s": 5_000.0}, r"rate_per_s is set to 5000.0, but the camera has 1000.0$"),  # without a word
        ({"width": 5_000}, r"Width is set to 5000, but the camera has \d+ .*greater than allowed maximum '2048'"),
        ({"gain": 99.0}, r"gain is set to 99.0, but the camera has 0.0 .*maximum '10'"),
        ({"exposure_us": 2.0}, r"exposure_time is set to 2.0, but the camera has 10000.0 .*minimum '10'"),
        ({"pixel_format": "BGR8"}, r"pixel_format is set to BGR8, but the camera has Mono8"),
        ({"trigger": "Line9"}, r"trigger is set to Line9, but the camera has Line0"),
    ],
)
def test_a_setting_that_the_camera_does_not_take_is_told_with_both_values(
    fake: FakeGigeCamera, given: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        opened(options(fake, **given))
    opened(options(fake)).close()  # and control of it was given back


def test_a_feature_that_is_read_only_is_told(fake: FakeGigeCamera) -> None:
    register = fake._memory.index(b'<IntReg Name="GainRawRegister"')
    mode = fake._memory.index(b"<AccessMode>RW<", register)
    fake._memory[mode : mode + 15] = b"<AccessMode>RO<"
    with pytest.raises(ConfigurationError, match=r"gain is set to 3.0, but the camera has 0.0 .*read only"):
        opened(options(fake, gain=3.0))


def test_what_was_set_is_in_the_camera(fake: FakeGigeCamera) -> None:
    asked = options(fake, exposure_us=250.0, gain=4.0, pixel_format="Mono8", offset_x=16, offset_y=8, packet_size=1000)
    with closing(opened(asked)) as camera:
        device = camera._device
        region = [device.ask("get_integer", name) for name in (b"Width", b"Height", b"OffsetX", b"OffsetY")]
        assert region == [64, 48, 16, 8]
        assert (device.ask("get_exposure_time"), device.ask("get_gain")) == (250.0, 4.0)
        assert device.ask("gv_get_packet_size") == 1000


def test_a_software_trigger_brings_the_picture_that_it_asked_for(fake: FakeGigeCamera) -> None:
    with closing(opened(options(fake, trigger="software", rate_per_s=50.0))) as camera:
        wait_for(lambda: fake.is_taking, "the camera is started")
        for number in range(4):
            (shot,) = shots(camera, 1)
            assert shows(shot, number)
    assert fake.sent == 4


def test_a_trigger_without_a_picture_is_a_fault_with_its_shot(fake: FakeGigeCamera) -> None:
    fake.resends, fake.loses = False, lambda _block, _packet: True
    asked = options(fake, trigger="software", buffer_limit_s=0.3)
    with (
        closing(opened(asked, first=7)) as camera,
        pytest.raises(CameraFault, match=r"gave nothing for 0\.3 s") as fault,
    ):
        shots(camera, 1)
    assert fault.value.shot is not None
    assert (fault.value.shot.index, fault.value.shot.conditions) == (7, (CameraCondition.LOST,))


@pytest.mark.slow
def test_a_camera_that_dies_is_lost_and_comes_back_in_a_new_one() -> None:
    where = address()
    with FakeGigeCamera(where, "T1", shown) as fake:
        camera = opened(options(fake, rate_per_s=20.0, buffer_limit_s=0.5))
        shots(camera, 3)
    with closing(camera), pytest.raises(CameraFault) as fault:
        shots(camera, 1_000)
    assert fault.value.shot is not None
    with pytest.raises(CameraFault, match=where):
        opened(options(fake))
    with FakeGigeCamera(where, "T1", shown) as back, closing(opened(options(back), first=3)) as again:
        (shot,) = shots(again, 1)
    assert (shot.index, shows(shot, 0)) == (3, True)


@pytest.mark.slow
def test_a_camera_that_waits_for_its_line_is_lost_when_its_heartbeat_stops() -> None:
    with FakeGigeCamera(address(), "T1", shown) as fake:
        camera = opened(options(fake, trigger="Line0"))
        fake.fire()
        shots(camera, 1)
    with closing(camera), pytest.raises(CameraFault, match="control of it is lost") as fault:
        shots(camera, 1)
    assert fault.value.shot is None  # only the plant knows whether a part was there


def test_a_camera_that_another_program_controls_is_not_taken_from_it(fake: FakeGigeCamera) -> None:
    with closing(opened(options(fake))), pytest.raises(CameraFault, match="control of another program"):
        opened(options(fake))


@pytest.mark.slow
def test_a_camera_whose_process_was_killed_is_had_again_once_it_misses_the_heartbeat(fake: FakeGigeCamera) -> None:
    asked = options(fake, trigger="Line0")
    took_control = [
        "import threading",
        "from linewarden_ingest.cameras.aravis import aravis",
        f"device = aravis().open({fake.address!r})",
        "device.start(2, 1 << 20)",
        "threading.Event().wait()",
    ]
    with subprocess.Popen([sys.executable, "-c", "\n".join(took_control)]) as process:
        wait_for(lambda: fake.is_taking, "the other process has control")
        with pytest.raises(CameraFault, match="was until a moment ago"):
            opened(asked)
        process.kill()

    def answers() -> bool:
        with suppress(CameraFault):
            opened(asked).close()
            return True
        return False

    wait_for(answers, "it gives up who does not answer")


def test_block_ids_are_no_counter_for_a_camera_that_is_opened_late_or_again(fake: FakeGigeCamera) -> None:
    counted = options(fake, trigger="Line0", trigger_counter="frame_id", arm_s=5.0)
    now_ms = SystemClock().now_ms()
    for first, start_ms in ((0, now_ms - 6_000), (1, now_ms)):
        with pytest.raises(CameraFault, match="start ingest anew"):
            opened(counted, first, start_ms)


def test_it_ends_after_its_shots(fake: FakeGigeCamera) -> None:
    with closing(opened(options(fake, shots=3, rate_per_s=100.0))) as camera:
        shots(camera, 3)
        with pytest.raises(EndOfPictures):
            camera.poll(0.1)


def test_what_is_torn_is_published_so(fake: FakeGigeCamera, tmp_path: Path) -> None:
    fake.resends, fake.loses = False, lambda block, packet: block == 1 and packet == 2
    line = TrialLine(options(fake, trigger="software", shots=3), tmp_path)
    line.run()
    told = [(one.lost, one.conditions) for one in line.captures()]
    both = (CameraCondition.LOST, CameraCondition.TORN)
    assert told == [(None, ()), (Loss.CAMERA_FAULT, both), (None, ())]
    frames = line.frames()
    sent = [cv2.imdecode(np.frombuffer(frames[one.frame_id].picture, np.uint8), -1) for one in line.captures()[::2]]
    assert [np.array_equal(np.asarray(one), picture(number)) for one, number in zip(sent, (0, 2), strict=True)] == [
        True
    ] * 2


def test_a_search_finds_it_and_its_serial_opens_it() -> None:
    serial = f"S{next(_COUNT)}"
    with FakeGigeCamera(address(), serial, shown) as fake:
        assert [one["address"] for one in GenicamOptions.discover() if one["serial"] == serial] == [fake.address]
        with closing(opened(options(fake, device=serial, interface="127.0.0.1"))) as camera:
            assert shows(shots(camera, 1)[0], 0)
    with pytest.raises(CameraFault, match=f"no camera {serial} answers; found: "):
        opened(options(fake, device=serial))


def test_the_cameras_of_a_station_give_the_same_visit_for_the_same_trigger() -> None:
    plan = LinePlan(seed=3, views=2, size=64)
    with fake_station(plan, 20.0, 4) as addresses:
        start_ms = SystemClock().now_ms()
        asked = [
            GenicamOptions(
                camera_id=f"cam{view}",
                view_id=f"v{view}",
                device=one,
                width=64,
                height=64,
                trigger="Line0",
                trigger_counter="frame_id",
                arm_s=60.0,
            )
            for view, one in enumerate(addresses)
        ]
        cameras = [opened(one, start_ms=start_ms) for one in asked]
        taken = [shots(one, 4) for one in cameras]
        for one in cameras:
            one.close()
    triggers = [[shot.trigger for shot in of_one] for of_one in taken]
    assert triggers[0] == triggers[1]
    assert [one.counter for one in triggers[0] if one] == [1, 2, 3, 4]
    for view, of_one in enumerate(taken):
        for shot in of_one:
            assert shot.trigger is not None
            drawn = draw_view(plan, plan_visit(plan, shot.trigger.counter), view).picture
            assert np.array_equal(np.asarray(shot.picture), drawn)


def test_pictures_after_a_trigger_that_the_camera_ignored_are_doubted() -> None:
    with (
        CountingGigeCamera(address(), "T1", shown) as fake,
        triggered(fake, trigger_counter="frame_id", edge_counter="Counter0") as camera,
    ):

        def next_shot() -> Shot:
            fake.fire()
            return shots(camera, 1)[0]

        assert [next_shot().doubt for _ in range(3)] == [None] * 3
        fake.ignore()
        for edges in (5, 6):
            shot = next_shot()
            assert shot.trigger is not None
            assert shot.trigger.counter == edges - 1  # one behind the part that it shows
            assert shot.doubt is not None
            assert shot.doubt.startswith(f"its line had {edges} triggers at picture {edges - 1}: a trigger was ignored")


def test_an_edge_counter_that_the_camera_lacks_is_told(fake: FakeGigeCamera) -> None:
    with pytest.raises(ConfigurationError, match="CounterSelector is set to Counter0, but the camera has none"):
        opened(options(fake, trigger="Line0", edge_counter="Counter0"))
    with CountingGigeCamera(address(), "T1", shown) as other, pytest.raises(ConfigurationError, match="Counter7"):
        opened(options(other, trigger="Line0", edge_counter="Counter7"))


def test_an_error_says_whether_the_camera_is_there(fake: FakeGigeCamera) -> None:
    with closing(opened(options(fake))) as camera, pytest.raises(GenicamError, match="Not found") as refused:
        camera._device.ask("get_integer", b"NoSuchFeature")
    assert refused.value.is_of_settings
    with pytest.raises(GenicamError) as away:
        aravis().open(address())
    assert not away.value.is_of_settings
