"""A page with what one camera sees now, for whoever mounts it: picture, histogram, focus figure, rate."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import asdict, dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import structlog

from linewarden_ingest.cameras.conditions import ConditionJudge, PictureFigures, figures_of, grey_of
from linewarden_ingest.cameras.interface import Camera, CameraFault, EncodedPicture, EndOfPictures, Shot
from linewarden_ingest.cameras.live_page import PAGE, SCRIPT
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.cameras.pictures import Unreadable, encode
from linewarden_ingest.captures import CameraPlace
from linewarden_runtime.clock import Clock
from linewarden_runtime.lifecycle import Stop
from linewarden_vision.inspecting.refusal import PictureRefused

BINS = 64
"""Bars of the histogram, of four grey levels each."""
_POLL_S, _AGAIN_S = 0.2, 2.0
_RATE_OVER = 20
"""Pictures over which the rate is told."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LivePicture:
    """The newest picture and what was found of it; `number` counts pictures, `why` tells what is wrong in words."""

    number: int = 0
    picture: EncodedPicture | None = None
    figures: PictureFigures | None = None
    histogram: tuple[int, ...] = ()
    conditions: tuple[str, ...] = ()
    rate_per_s: float | None = None
    why: str = "no picture yet"


class LiveView:
    """Reads one camera until the stop, opening it anew where it dies, and keeps what it saw last."""

    def __init__(self, options: CameraOptions, place: CameraPlace, clock: Clock) -> None:
        self._options, self._place, self._clock = options, place, clock
        self._judge = ConditionJudge(options.limits, is_live=options.is_live)
        self._times: deque[int] = deque(maxlen=_RATE_OVER)
        self.seen = LivePicture()

    def run(self, stop: Stop) -> None:
        """Read until the stop, or to the end of a source that ends; what was seen last stays."""
        while not stop.is_set():
            try:
                self._read(stop)
            except EndOfPictures:
                self._say("the source has ended")
                return
            except CameraFault as fault:
                _log.warning("camera dead", camera_id=self._place.camera_id, why=str(fault))
                self._say(f"dead, opened again: {fault}")
                self._clock.wait(stop.event, _AGAIN_S)

    def state(self) -> dict[str, Any]:
        """What the page shows beside the picture."""
        seen = self.seen
        return {
            "camera": self._place.camera_id,
            "view": self._place.view_id,
            "number": seen.number,
            "figures": None if seen.figures is None else asdict(seen.figures),
            "limits": self._options.limits.model_dump(),
            "histogram": seen.histogram,
            "conditions": seen.conditions,
            "rate_per_s": seen.rate_per_s,
            "why": seen.why,
        }

    def _read(self, stop: Stop) -> None:
        now_ms = self._clock.now_ms()
        camera: Camera = self._options.open(CameraRun(self._place, self._clock, stop.event, now_ms))
        try:
            while not stop.is_set():
                shot = camera.poll(_POLL_S)
                if shot is not None:
                    self._take(shot)
        finally:
            camera.close()

    def _take(self, shot: Shot) -> None:
        if shot.picture is None:
            self._say(shot.loss_detail or "a trigger without a picture")
            return
        try:
            came = shot.picture
            picture = came if isinstance(came, EncodedPicture) else encode(came, self._options.raw_encoding)
            grey = grey_of(came)
        except (Unreadable, PictureRefused) as refused:
            self._say(f"a picture that cannot be read: {refused}")
            return
        self._times.append(shot.captured_ms)
        counts, _ = np.histogram(grey, BINS, (0, 256))
        self.seen = LivePicture(
            self.seen.number + 1,
            picture,
            figures_of(grey),
            tuple(int(one) for one in counts),
            tuple(one.value for one in self._judge.judge(shot, picture, None)),
            self._rate(),
            "",
        )

    def _rate(self) -> float | None:
        spent_ms = self._times[-1] - self._times[0]
        return round(1000 * (len(self._times) - 1) / spent_ms, 2) if spent_ms > 0 else None

    def _say(self, why: str) -> None:
        self.seen = replace(self.seen, why=why)


class LiveServer:
    """Serves one view on 127.0.0.1 inside a with-block; port 0 takes a free one."""

    def __init__(self, view: LiveView, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(view))
        self._server.daemon_threads = True
        # No Background: a failure belongs to the one answer.
        self._thread = threading.Thread(target=self._server.serve_forever, name="live", daemon=True)

    @property
    def url(self) -> str:
        """The address of the page, with its port."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> LiveServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(view: LiveView) -> type[BaseHTTPRequestHandler]:
    class LiveRequest(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page of elsewhere can let a browser ask under a name of its own; what this shows is for this machine.
            if self.headers.get("Host", "").partition(":")[0] not in {"127.0.0.1", "localhost"}:
                self._send(403, "text/plain", b"ask for 127.0.0.1\n")
                return
            path, seen = self.path.partition("?")[0], view.seen
            if path == "/":
                self._send(200, "text/html; charset=utf-8", PAGE.encode())
            elif path == "/live.js":
                self._send(200, "text/javascript; charset=utf-8", SCRIPT.encode())
            elif path == "/state":
                self._send(200, "application/json", json.dumps(view.state()).encode())
            elif path == "/picture" and seen.picture is not None:
                self._send(200, seen.picture.content_type, seen.picture.data)
            else:
                self._send(404, "text/plain", b"nothing here\n")

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header(
                "Content-Security-Policy", "default-src 'self'; img-src 'self' data:; style-src 'unsafe-inline'"
            )
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the page's questions out of the log."""

    return LiveRequest
