"""Cameras on USB that the kernel's V4L2 drives, read by OpenCV."""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from linewarden_ingest.cameras.interface import CameraFault
from linewarden_ingest.cameras.live import Arrived, Inbox, LiveCamera, LiveOptions
from linewarden_ingest.cameras.options import CameraRun
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    import cv2

_BY_ID = Path("/dev/v4l/by-id")


class UsbOptions(LiveOptions):
    """The camera at `device`, a path that stays its own: /dev/v4l/by-id/..., or by-path.

    `fourcc` is the format on the cable (`MJPG`, `YUYV`), `fps` the camera's pictures a second, `exposure` in units of
    its driver (V4L2: 100 microseconds), which turns automatic exposure off. What is set is read back.
    """

    kind: Literal["usb"] = "usb"
    device: Path
    fourcc: str | None = Field(None, pattern="^[A-Za-z0-9 ]{4}$")
    fps: float | None = Field(None, gt=0)
    exposure: float | None = Field(None, gt=0)

    @field_validator("device", mode="before")
    @classmethod
    def _stays_its_own(cls, given: object) -> object:
        if isinstance(given, int) or re.fullmatch(r"(/dev/video)?\d+", str(given)):
            attached = sorted(map(str, _BY_ID.glob("*-index0"))) or [f"none is attached: {_BY_ID} has none"]
            raise ValueError(f"{given} is another camera after the next start; name one of: {', '.join(attached)}")
        return given

    def open(self, run: CameraRun) -> LiveCamera:
        """The camera, set as it is to be.

        Raises:
            ConfigurationError: where the camera has another value than one that is set.
            CameraFault: where it is not there, or another process has it.
        """
        # OpenCV reads it once, when it is imported: how long one of its reads waits, which is 10 s otherwise.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(math.ceil(self.silence_s)))
        return LiveCamera(str(self.device), self, run, UsbReader(self, run.clock))


def open_v4l2(device: Path) -> cv2.VideoCapture:
    """The device as OpenCV has it, open or not."""
    import cv2  # noqa: PLC0415 - the supervisor, which reads the options, stays small

    return cv2.VideoCapture(str(device), cv2.CAP_V4L2)


class UsbReader:
    """Reads all the time, so that no picture waits in the driver's buffers; `opener` opens the device.

    Raises what `UsbOptions.open` says.
    """

    def __init__(
        self, options: UsbOptions, clock: Clock, opener: Callable[[Path], cv2.VideoCapture] = open_v4l2
    ) -> None:
        self._options, self._clock = options, clock
        self.inbox, self._closing = Inbox(options, clock), threading.Event()
        video = opener(options.device)
        if not video.isOpened():
            raise CameraFault(f"{options.device} cannot be opened: it is not there, or another process has it")
        try:
            require_settings(video, options)
        except ConfigurationError:
            video.release()
            raise
        self._thread = threading.Thread(target=self._read, args=(video,), name="usb", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading, as soon as OpenCV's own limit lets go of the read that is under way."""
        self._closing.set()
        self._thread.join(self._options.silence_s + 1.0)

    def _read(self, video: cv2.VideoCapture) -> None:
        while not self._closing.is_set():
            read, picture = video.read()
            if not read or picture is None or not picture.size:
                self.inbox.end("a read gave no picture" if not read else "a read gave an empty picture")
                break
            now_ms, now = self._clock.now_ms(), self._clock.monotonic()
            self.inbox.put(Arrived(partial(np.asarray, picture), now_ms, now))
        video.release()


def require_settings(video: cv2.VideoCapture, options: UsbOptions) -> None:
    """Set what the options name, and read all of it back.

    Raises:
        ConfigurationError: naming each value that the camera has instead of the one that is set.
    """
    import cv2  # noqa: PLC0415 - as above

    wanted = {
        # The format first: it decides which sizes there are, and the size which rates.
        "fourcc": (cv2.CAP_PROP_FOURCC, options.fourcc and cv2.VideoWriter.fourcc(*options.fourcc)),
        "width": (cv2.CAP_PROP_FRAME_WIDTH, options.width),
        "height": (cv2.CAP_PROP_FRAME_HEIGHT, options.height),
        "fps": (cv2.CAP_PROP_FPS, options.fps),
        # 1 is V4L2_EXPOSURE_MANUAL; automatic, it would go on changing what is set below.
        "automatic exposure": (cv2.CAP_PROP_AUTO_EXPOSURE, options.exposure and 1),
        "exposure": (cv2.CAP_PROP_EXPOSURE, options.exposure),
    }
    named = {name: (number, value) for name, (number, value) in wanted.items() if value}
    for number, value in named.values():
        video.set(number, value)
    has = {name: video.get(number) for name, (number, _) in named.items()}
    wrong = [
        f"{name} is {_shown(name, has[name])}, set is {_shown(name, value)}"
        for name, (_, value) in named.items()
        if not math.isclose(has[name], value, rel_tol=1e-3)
    ]
    if wrong:
        raise ConfigurationError(
            f"{options.device} does not take what is set: {'; '.join(wrong)}; "
            f"'v4l2-ctl --list-formats-ext --list-ctrls -d {options.device}' tells what it takes"
        )


def _shown(name: str, value: float) -> str:
    return int(value).to_bytes(4, "little").decode("latin-1") if name == "fourcc" else f"{value:g}"
