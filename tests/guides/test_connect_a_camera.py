"""`Connect a camera`, each section followed by its own commands, on servers and fake cameras."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

from linewarden_runtime.processes import free_port, is_listening
from linewarden_schemas.vocabulary import Loss
from tests.support.followed_line import FollowedLine
from tests.support.gentl_producer import simulated_producer
from tests.support.guides import ROOT, GuidePage
from tests.support.picture_files import encoded, textured
from tests.support.processes import wait_for

PAGE = GuidePage("docs/guides/connect-a-camera.md")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def answers(port: int, path: str = "/readyz") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.plant
@PAGE.follows("RTSP")
def test_rtsp(line: FollowedLine, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        picture = cv2.resize(textured(seed=number, channels=3), (1280, 960))
        (tmp_path / "pictures" / f"{number:02}.jpg").write_bytes(encoded(picture, ".jpg"))
    (tmp_path / "password").write_text("a secret of the camera\n")
    (tmp_path / "services").symlink_to(ROOT / "services")
    port = free_port()
    here = {
        "--port 8554": f"--port {port}",
        "rtsp://127.0.0.1:8554/camera": f"rtsp://127.0.0.1:{port}/camera",
        "rtsp://10.0.7.21:554/stream1": f"rtsp://127.0.0.1:{port}/camera",
        "/etc/linewarden/cam0.password": str(tmp_path / "password"),
    }
    with PAGE.walk("RTSP", tmp_path, line.environment, instead=here) as walk:
        walk.run()
        walk.start()
        wait_for(lambda: is_listening(port), "the server listens")
        seen = [told.split(" ", 2)[2] for told in walk.run().splitlines()]
        assert seen
        assert set(seen) == {"(960, 1280, 3) ()"}
        walk.file("line.toml")
        walk.start()
        line.captured(lambda found: sum(one.lost is None for one in found) >= 3)


@pytest.mark.plant
@PAGE.follows("GigE Vision")
def test_gige_vision(line: FollowedLine, tmp_path: Path) -> None:
    with PAGE.walk("GigE Vision", tmp_path, line.environment) as walk:
        walk.run()
        walk.start()
        walk.file("line.toml")
        walk.start()
        line.captured(lambda found: sum(one.lost is None for one in found) >= 3)


@PAGE.follows("GenTL producer")
def test_gentl_producer(line: FollowedLine, tmp_path: Path) -> None:
    here = {"/opt/vendor/lib/vendor.cti": str(simulated_producer())}
    with PAGE.walk("GenTL producer", tmp_path, line.environment, instead=here) as walk:
        walk.run()
        assert "viky.cti" in walk.run()
        walk.file("line.toml")
        walk.start()
        line.captured(lambda found: sum(one.lost is None for one in found) >= 3)


@PAGE.follows("Watched folder")
def test_watched_folder(line: FollowedLine, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "part17.jpg").write_bytes(encoded(textured(seed=17, channels=3), ".jpg"))
    with PAGE.walk("Watched folder", tmp_path, line.environment) as walk:
        walk.file("line.toml")
        walk.start()
        wait_for(lambda: answers(line.health_port), "ingest is ready")
        walk.run()
        wait_for((tmp_path / "pictures" / "done" / "S17_L4.jpg").exists, "the first one is put away")
        walk.run()
        found = line.captured(lambda found: len(found) >= 3)
        assert sorted((one.part_id or "", one.lost) for one in found) == [
            ("S17", None),
            ("S17", None),
            ("S18", Loss.UNREADABLE),
        ]
        pictures = tmp_path / "pictures"
        wait_for(lambda: not list(pictures.glob("*.jpg")), "all is put away")
        assert walk.run().split() == ["S17_L4.1.jpg", "S17_L4.jpg", "S18_L4.jpg"]


@PAGE.follows("Smart camera by HTTP")
def test_smart_camera_by_http(line: FollowedLine, tmp_path: Path) -> None:
    (tmp_path / "part17.jpg").write_bytes(encoded(textured(seed=17, channels=3), ".jpg"))
    port = free_port()
    with PAGE.walk("Smart camera by HTTP", tmp_path, line.environment, instead={"8484": str(port)}) as walk:
        walk.file("line.toml")
        walk.start()
        wait_for(lambda: is_listening(port), "the server listens")
        assert "202 Accepted" in walk.run()
        assert '"frame_id"' in walk.run()
        found = line.captured(lambda found: len(found) >= 2)
        seen = {(one.part_id, one.lot_id, one.lost) for one in found}
        assert seen == {("S17", "L1", None), ("S18", "L4", None)}  # L1 is the line's


@PAGE.follows("Trigger and part data")
def test_trigger_and_part_data(line: FollowedLine, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(30):
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), np.full((420, 420), number, np.uint8))
    port = free_port()
    here = {
        "127.0.0.1:2000": f"127.0.0.1:{port}",
        '("127.0.0.1", 2000)': f'("127.0.0.1", {port})',
        "9090": str(line.health_port),
    }
    with PAGE.walk("Trigger and part data", tmp_path, line.environment, instead=here) as walk:
        walk.file("line.toml")
        walk.start()
        wait_for(lambda: is_listening(port), "the PLC listens")
        walk.start()
        line.captured(bool)
        assert "linewarden_ingest_joins_total" in walk.run()


def test_every_block_is_followed() -> None:
    PAGE.require_followed({"device": 1})
