"""RTSP cameras as processes of their own: GStreamer's servers, which send what they are given, the demo's parts."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from pathlib import Path

import numpy as np

from linewarden.demo import line
from linewarden_ingest.cameras.interface import RawPicture
from linewarden_ingest.cameras.simulation import LinePlan, draw, plan_visit
from linewarden_ingest.cameras.status_line import with_status_line
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Closing

_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_NEEDS = "sudo apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"


class RtspServer(Closing):
    """Serves rtsp://127.0.0.1:`port`/camera from when it is made; `arguments` are the script's.

    Raises:
        ConfigurationError: where it does not start, with what its log says and what it needs.
    """

    def __init__(self, log: Path, *arguments: str) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [_PYTHON, str(_SCRIPT), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._listener = threading.Thread(target=self._listen, name="rtsp-server", daemon=True)
        first, _, port = self._heard().partition(" ")
        if first != "listening":
            self.close()
            said = log.read_text(encoding="utf-8", errors="replace")[-500:]
            raise ConfigurationError(f"no RTSP server on this machine: {said.strip() or 'it said nothing'}; {_NEEDS}")
        self.port = int(port)
        self.playing = threading.Event()
        """Set while somebody looks."""
        self._listener.start()

    @property
    def url(self) -> str:
        """Where its one stream is."""
        return f"rtsp://127.0.0.1:{self.port}/camera"

    def send(self, picture: bytes) -> None:
        """Send one picture (JPEG, or PNG with `--png`) to whoever looks.

        Raises:
            BrokenPipeError: where the server has died.
        """
        if self.process.stdin is not None:
            self.process.stdin.write(len(picture).to_bytes(4, "big") + picture)
            self.process.stdin.flush()

    def close(self) -> None:
        """End it at once; a client sees its connection close."""
        self.process.kill()
        self.process.wait()
        if self._listener.is_alive():
            self._listener.join()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):  # the rest of a picture that nobody reads any more
                if pipe is not None:
                    pipe.close()

    def _listen(self) -> None:
        while word := self._heard():
            if word == "playing":
                self.playing.set()
            else:
                self.playing.clear()

    def _heard(self) -> str:
        return "" if self.process.stdout is None else self.process.stdout.readline().decode().strip()


class RtspCameras(Closing):
    """A camera for each view of the plan's parts 1 to `parts`, `rate_per_s` of them a second once all are looked at.

    The number of the part stands in each picture, by which ingest puts the views together. `parts` None goes on.
    Raises ConfigurationError as `RtspServer` does.
    """

    def __init__(self, plan: LinePlan, parts: int | None, rate_per_s: float, logs: Path) -> None:
        self._plan, self._parts, self._period_s = plan, parts, 1 / rate_per_s
        self._over = threading.Event()
        self.shown = threading.Event()
        """Set when the last part has been sent."""
        self._servers: list[RtspServer] = []
        self._thread = threading.Thread(target=self._show_all, name="rtsp-cameras", daemon=True)
        try:
            self._servers += (RtspServer(logs / f"rtsp-{view}.log") for view in line.VIEWS)
        except ConfigurationError:
            self.close()
            raise
        self._thread.start()

    def source(self) -> line.PictureSource:
        """The cameras as ingest reads them."""
        shared = {"kind": "rtsp", "status_line": True, "silence_s": 10.0, "stale_ms": 2_000}
        cameras = tuple(
            shared | {"camera_id": f"cam-{view}", "view_id": view, "url": server.url}
            for view, server in zip(line.VIEWS, self._servers, strict=True)
        )
        return line.PictureSource(cameras, tuple((view, f"cam-{view}") for view in line.VIEWS), self._parts, self._plan)

    def close(self) -> None:
        """End all of them; parts that were not shown are not shown any more."""
        self._over.set()
        for server in self._servers:
            server.process.kill()
        if self._thread.is_alive():
            self._thread.join()
        for server in self._servers:
            server.close()

    def _show_all(self) -> None:
        nothing = np.zeros((self._plan.size, self._plan.size), np.uint8)
        number = 0
        while not self._over.wait(self._period_s):
            is_part = all(server.playing.is_set() for server in self._servers) and not self.shown.is_set()
            number += is_part
            visit = plan_visit(self._plan, number)
            views = draw(self._plan, visit).views if is_part else ()
            for at, server in enumerate(self._servers):
                sees = is_part and visit.missing_view != at
                told = with_status_line(views[at].picture if sees else nothing, number if sees else 0)
                with contextlib.suppress(BrokenPipeError):  # it is gone, which its camera tells
                    server.send(rtp_jpeg(told))
            if number == self._parts:
                self.shown.set()


def rtp_jpeg(picture: RawPicture) -> bytes:
    """A picture (HxW or HxWx3 BGR, uint8) as JPEG of the kind that RTP carries (RFC 2435), close to the picture."""
    import cv2  # noqa: PLC0415 - nothing heavy before it is needed

    coloured = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture  # RTP carries no grey JPEG
    best = [cv2.IMWRITE_JPEG_QUALITY, 97, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    return bytes(cv2.imencode(".jpg", coloured, best)[1])
