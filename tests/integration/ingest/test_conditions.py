"""What is wrong with a camera, from its pictures to captures and heartbeats; and a camera that hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linewarden_ingest.camera_watch import CAMERA_DEAD
from linewarden_ingest.cameras.conditions import CameraLimits
from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.cameras.pictures import Encoding, encode
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_ingest.testing import TrialLine
from linewarden_ingest.ticket import Ticket
from linewarden_runtime.clock import SystemClock
from linewarden_schemas.vocabulary import CameraCondition, Loss
from tests.unit.ingest.test_conditions import drawn

FROZEN, BLURRED = CameraCondition.FROZEN, CameraCondition.BLURRED


class Live(FolderOptions):
    """A folder that counts as a live camera."""

    @property
    def is_live(self) -> bool:
        return True


@pytest.fixture
def camera(tmp_path: Path) -> Live:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, picture in enumerate([drawn(1), drawn(2), drawn(2), drawn(3, blur=4.0), drawn(4)]):
        (pictures / f"{number}.png").write_bytes(encode(picture, Encoding()).data)
    return Live(camera_id="cam0", view_id="top", path=pictures, limits=CameraLimits(focus=100))


def test_conditions_are_stamped_on_their_captures_and_told_in_the_heartbeat(camera: Live, tmp_path: Path) -> None:
    line = TrialLine(camera, tmp_path / "spool")
    line.run()
    assert [one.conditions for one in line.captures()] == [(), (), (FROZEN,), (BLURRED,), ()]
    told = line.heartbeats()
    assert {condition for one in told for condition in one.conditions} == {FROZEN, BLURRED}
    last_read_ms = told[-1].last_read_ms
    assert last_read_ms is not None
    assert 0 <= told[-1].at_ms - last_read_ms < 60_000


def test_a_repeat_is_seen_by_the_next_process(camera: Live, tmp_path: Path) -> None:
    TrialLine(camera, tmp_path / "spool").run()
    again = TrialLine(camera, tmp_path / "spool")
    (camera.path / "0.png").write_bytes((camera.path / "4.png").read_bytes())
    again.run(2_000)
    assert [FROZEN in one.conditions for one in again.captures()] == [True, False, True, False, True]


HANGS = """
import sys, threading
from pathlib import Path
from typing import Literal
from linewarden_ingest.cameras.interface import EncodedPicture, EndOfPictures, Shot, Trigger
from linewarden_ingest.cameras.options import CameraOptions
from linewarden_ingest.testing import TrialLine

class Hanging(CameraOptions):
    kind: Literal["hanging"] = "hanging"
    in_open: bool = False

    def open(self, run):
        if self.in_open:
            threading.Event().wait()
        return Camera(run)

class Camera:
    def __init__(self, run):
        self.index, self.clock, self.in_hand = run.first, run.clock, None

    def poll(self, timeout_s):
        shot = Shot(self.index, self.clock.now_ms(), EncodedPicture(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(9), "image/png"))
        self.index += 1
        if self.index == 2:
            self.in_hand = Shot(1, self.clock.now_ms(), None, trigger=Trigger(77, 5_000))
            threading.Event().wait()  # as OpenCV does when the link is cut
        return shot

    def close(self):
        pass

TrialLine(Hanging(camera_id="cam0", view_id="top", read_limit_s=0.5, in_open={in_open}), Path(sys.argv[1])).run()
"""


def hang(spool: Path, *, in_open: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HANGS.replace("{in_open}", str(in_open)), str(spool)]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=100, check=False)


def test_a_read_that_hangs_ends_the_process_and_its_trigger_is_safe_for_the_next_one(tmp_path: Path) -> None:
    ended = hang(tmp_path / "spool")
    assert ended.returncode == CAMERA_DEAD, ended.stderr
    assert "a read of camera cam0 did not come back" in ended.stderr
    with Spool(tmp_path / "spool" / "cam0", SpoolLimits(1 << 20, 1 << 18), SystemClock()) as spool:
        told = Ticket.from_bytes(spool.recovered.last_header or b"").capture
    assert (told.lost, told.conditions) == (Loss.CAMERA_FAULT, (CameraCondition.LOST,))
    assert told.visit_id == "line1.st1.0000000005000.000077"


def test_opening_a_camera_is_limited_as_reads_are(tmp_path: Path) -> None:
    ended = hang(tmp_path / "spool", in_open=True)
    assert (ended.returncode, "opening of camera cam0" in ended.stderr) == (CAMERA_DEAD, True), ended.stderr
