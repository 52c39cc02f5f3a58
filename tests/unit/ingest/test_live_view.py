"""The page with what a camera sees: its picture and figures, on this machine alone."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from linewarden_ingest.cameras.conditions import CameraLimits
from linewarden_ingest.cameras.folder import FolderCamera, FolderOptions
from linewarden_ingest.cameras.interface import CameraFault
from linewarden_ingest.cameras.live_view import BINS, LiveServer, LiveView
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.cameras.pictures import Encoding, encode
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.lifecycle import Stop
from tests.unit.ingest.lines import PLACE
from tests.unit.ingest.test_conditions import drawn


@pytest.fixture
def camera(tmp_path: Path) -> FolderOptions:
    for number, picture in enumerate([drawn(1), drawn(2, blur=4.0)]):
        (tmp_path / f"{number}.png").write_bytes(encode(picture, Encoding()).data)
    return FolderOptions(
        camera_id="cam0", view_id="view0", path=tmp_path, rate_per_s=4.0, limits=CameraLimits(focus=35, dark=5)
    )


def ask(server: LiveServer, path: str, host: str = "127.0.0.1") -> tuple[int, str, bytes]:
    link = http.client.HTTPConnection(server.url.removeprefix("http://").rstrip("/"), timeout=30)
    link.request("GET", path, headers={"Host": host})
    answer = link.getresponse()
    told = answer.status, answer.headers["Content-Type"], answer.read()
    link.close()
    return told


def test_it_shows_the_newest_picture_with_its_figures_and_what_is_wrong(camera: FolderOptions) -> None:
    view = LiveView(camera, PLACE, ManualClock(1_000))
    with LiveServer(view) as server:
        assert ask(server, "/picture")[0] == 404
        view.run(Stop())
        state: dict[str, Any] = json.loads(ask(server, "/state")[2])
        assert (state["number"], state["conditions"], state["rate_per_s"]) == (2, ["camera_blurred"], 4.0)
        assert (len(state["histogram"]), sum(state["histogram"])) == (BINS, 240 * 240)
        assert state["why"] == "the source has ended"
        assert ask(server, "/picture?2") == (200, "image/png", (camera.path / "1.png").read_bytes())


def test_the_page_takes_nothing_from_elsewhere_and_is_shown_to_nobody_elsewhere(camera: FolderOptions) -> None:
    with LiveServer(LiveView(camera, PLACE, ManualClock())) as server:
        status, kind, page = ask(server, "/")
        assert (status, kind) == (200, "text/html; charset=utf-8")
        assert b"//" not in page.replace(b"<!--", b"")
        assert ask(server, "/live.js")[0] == 200
        assert ask(server, "/state", host="evil.example")[0] == 403


class DiesOnce(FolderOptions):
    """A camera that does not answer when it is opened first."""

    def open(self, run: CameraRun) -> FolderCamera:
        if run.start_ms == 1_000:
            raise CameraFault("no route to it")
        return super().open(run)


def test_a_camera_that_dies_is_opened_again(camera: FolderOptions) -> None:
    view = LiveView(DiesOnce(**vars(camera)), PLACE, ManualClock(1_000))
    view.run(Stop())
    assert view.seen.number == 2


def test_a_stop_ends_it(camera: FolderOptions) -> None:
    stop = Stop()
    stop.set("test")
    thread = threading.Thread(target=LiveView(camera, PLACE, ManualClock()).run, args=(stop,))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
