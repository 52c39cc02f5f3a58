"""Programs that write into a watched folder, and processes of ingest that die over it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden_ingest.cameras.watch import WatchOptions
from linewarden_ingest.testing import TrialLine
from linewarden_runtime.background import Background
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Loss
from tests.support.ingest_line import Arrived
from tests.support.live_camera import LiveCamera, times_taken
from tests.support.picture_files import encoded, textured
from tests.support.picture_writer import WriterProcess
from tests.support.processes import wait_for
from tests.support.spooled_camera import SpooledCamera
from tests.unit.ingest.lines import PLACE, set_up_line

ROOT = Path(__file__).resolve().parents[3]


def jpeg(seed: int) -> bytes:
    return encoded(textured(seed=seed, channels=3), ".jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def writer(folder: Path) -> Iterator[WriterProcess]:
    with WriterProcess(folder) as writer:
        yield writer


@pytest.fixture
def camera(folder: Path, tmp_path: Path) -> Iterator[SpooledCamera]:
    options = WatchOptions(
        camera_id=PLACE.camera_id, view_id=PLACE.view_id, path=folder, settle_s=0.05, poll_s=0.1, give_up_s=600.0
    )
    camera = SpooledCamera(options, tmp_path / "spool", SystemClock())
    yield camera
    camera.close()


def pictures(camera: SpooledCamera) -> list[bytes | None]:
    return [payload for _, payload in camera.taken()]


def test_what_a_slow_program_writes_is_taken_when_it_is_whole(camera: SpooledCamera, writer: WriterProcess) -> None:
    whole = jpeg(1)
    writer.do("open", "a.jpg")
    for begin in range(0, len(whole) - 2, len(whole) // 3):
        writer.do("write", whole[begin : min(begin + len(whole) // 3, len(whole) - 2)].hex())
        for _ in range(8):
            camera.turn()
    assert pictures(camera) == []
    writer.do("write", whole[-2:].hex())
    writer.do("close")
    camera.until(lambda: pictures(camera) == [whole], "the whole picture")


def test_names_that_change_come_again_or_are_linked_give_each_picture_once(
    camera: SpooledCamera, writer: WriterProcess, folder: Path
) -> None:
    def come(*seeds: int) -> None:
        camera.until(lambda: len(pictures(camera)) >= len(seeds), f"{len(seeds)} pictures")
        camera.until(lambda: not list(folder.glob("*.jpg")), "all are moved")
        assert pictures(camera) == [jpeg(seed) for seed in seeds]

    writer.write("a.jpg.tmp", jpeg(1))
    writer.do("rename", "a.jpg.tmp", "a.jpg")
    come(1)
    writer.write("a.jpg", jpeg(2))
    come(1, 2)
    writer.write("b.tmp", jpeg(3))
    writer.do("hardlink", "b.jpg", "b.tmp")
    writer.do("remove", "b.tmp")
    come(1, 2, 3)
    writer.write("c.jpg", jpeg(4))
    writer.do("date", "c.jpg", "86400")
    come(1, 2, 3, 4)
    (folder / "deep").mkdir()
    writer.write("deep/d.jpg", jpeg(5))
    writer.do("link", "d.jpg", "deep/d.jpg")
    come(1, 2, 3, 4, 5)
    assert len(list((folder / "done").iterdir())) == 5


def test_a_picture_that_is_overwritten_while_it_is_taken_is_followed_by_the_other(
    camera: SpooledCamera, writer: WriterProcess, folder: Path
) -> None:
    writer.write("a.jpg", jpeg(1))
    while camera.spool.next_sequence == 0:
        camera.intake.step()
    writer.write("a.jpg", jpeg(2))
    camera.until(lambda: not list(folder.glob("*.jpg")), "both are moved")
    assert pictures(camera) == [jpeg(1), jpeg(2)]


def test_a_file_that_disappears_half_written_is_told(camera: SpooledCamera, writer: WriterProcess) -> None:
    writer.write("a.jpg", jpeg(1)[:200])
    for _ in range(8):
        camera.turn()
    writer.do("remove", "a.jpg")
    camera.until(lambda: len(camera.taken()) == 1, "its capture")
    ((capture, _),) = camera.taken()
    assert capture.lost is Loss.UNREADABLE


def test_a_folder_without_events_is_listed_from_time_to_time(
    folder: Path, tmp_path: Path, writer: WriterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("too many files are watched")

    monkeypatch.setattr("watchfiles.watch", refuse)
    options = WatchOptions(camera_id=PLACE.camera_id, view_id=PLACE.view_id, path=folder, settle_s=0.05, poll_s=0.1)
    camera = SpooledCamera(options, tmp_path / "spool", SystemClock())
    try:
        writer.write("a.jpg", jpeg(1))
        camera.until(lambda: pictures(camera) == [jpeg(1)], "the picture")
    finally:
        camera.close()


def test_events_wake_it_long_before_the_folder_is_listed(folder: Path, tmp_path: Path, writer: WriterProcess) -> None:
    options = WatchOptions(
        camera_id=PLACE.camera_id, view_id=PLACE.view_id, path=folder, settle_s=3600.0, poll_s=3600.0, give_up_s=9999.0
    )
    camera = SpooledCamera(options, tmp_path / "spool", SystemClock())
    try:
        camera.turn()
        number = 0

        def renamed() -> bool:  # again and again: the first may come before anybody waits for events
            nonlocal number
            number += 1
            writer.write(f"{number}.jpg.tmp", jpeg(number))
            writer.do("rename", f"{number}.jpg.tmp", f"{number}.jpg")
            camera.turn()
            return bool(pictures(camera))

        wait_for(renamed, "a picture that was renamed into place")
    finally:
        camera.close()


@pytest.mark.slow
def test_dead_at_any_step_it_has_taken_each_picture_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.mortal_watch", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), *sys.path]))}
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    steps = [int(line.split()[1]) for line in ran.stdout.splitlines()]
    assert min(steps) >= 18


def test_ingest_publishes_what_comes_and_a_stop_leaves_nothing_undone(folder: Path, tmp_path: Path) -> None:
    options = WatchOptions(camera_id="cam0", view_id="top", path=folder, settle_s=0.05)
    line, stop = TrialLine(options, tmp_path / "spool"), Stop()
    with Background("line", lambda _until: line.run(stop=stop), Stop()):
        for seed in range(4):
            (folder / f"{seed}.jpg").write_bytes(jpeg(seed))
        wait_for(lambda: len(line.captures()) == 4, "four captures")
        stop.set("enough")
    assert {line.frames()[one.frame_id].picture for one in line.captures()} == {jpeg(seed) for seed in range(4)}
    assert len(list((folder / "done").iterdir())) == 4


def test_a_process_that_is_killed_again_and_again_loses_no_file_and_takes_none_twice(
    folder: Path, tmp_path: Path, tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str
) -> None:
    set_up_line(tansu_broker, Namespace(namespace))
    settings = {"kind": "watch", "path": str(folder), "settle_s": 0.05, "poll_s": 0.1}
    ingest = LiveCamera(namespace, tansu.bootstrap_servers, settings, tmp_path)
    content = [jpeg(seed) for seed in range(90)]
    done, failed = folder / "done", folder / "failed"
    process = ingest.start()
    for number, picture in enumerate(content):
        (folder / f"{number:03d}.jpg.tmp").write_bytes(picture)
        (folder / f"{number:03d}.jpg.tmp").rename(folder / f"{number:03d}.jpg")
        if number % 30 == 14:
            wait_for(lambda least=number // 2: len(list(done.glob("*.jpg"))) > least, "some are taken")  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = ingest.start()
    wait_for(lambda: not list(folder.glob("*.jpg")) or process.poll() is not None, "all are taken")
    process.terminate()
    assert process.wait(60) == 0, ingest.log
    arrived = Arrived.read(tansu_broker, namespace)
    torn = len(list(failed.iterdir()))  # cut by a kill, told, and kept apart
    assert len(arrived.torn()) == torn <= 3
    found = times_taken(arrived)
    assert set(found.values()) == {1}
    assert len(found) == len(content) - torn
    assert set(found) <= {hashlib.sha256(one).hexdigest() for one in content}
