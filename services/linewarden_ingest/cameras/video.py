"""Frames of a video file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import structlog
from pydantic import Field

from linewarden_ingest.cameras.interface import CameraFault, EndOfPictures, RawPicture, Shot
from linewarden_ingest.cameras.options import CameraOptions, CameraRun, FramePacer
from linewarden_runtime.errors import ConfigurationError

_log = structlog.get_logger(__name__)


class VideoOptions(CameraOptions):
    """A video file; every `stride`-th frame."""

    kind: Literal["video"] = "video"
    path: Path
    stride: int = Field(1, ge=1)
    read_limit_s: float | None = Field(None, gt=0)  # its first read goes through all frames before

    @property
    def is_live(self) -> bool:
        """Never: a recording may stand still."""
        return False

    def open(self, run: CameraRun) -> VideoCamera:
        """The file, at the frame of shot `run.first`.

        Raises:
            ConfigurationError: where OpenCV cannot open it.
        """
        return VideoCamera(self.path, self.pace(run), stride=self.stride, first=run.first)


class VideoCamera:
    """Emits every `stride`-th frame raw, from frame `first` on.

    Raises:
        ConfigurationError: where OpenCV cannot open the file.
    """

    def __init__(self, path: Path, pace: FramePacer, *, stride: int = 1, first: int = 0) -> None:
        import cv2  # noqa: PLC0415 - the supervisor, which reads the options, stays small

        self._path, self._pace, self._stride = path, pace, stride
        self._video = cv2.VideoCapture(str(path))
        if not self._video.isOpened():
            raise ConfigurationError(f"{path} is not a video that OpenCV reads")
        self._frames = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))
        self._first = self._index = first
        self._at = 0

    def poll(self, timeout_s: float) -> Shot | None:
        """The next frame when it is due.

        A file that ends before its announced end is a fault, and where it ends there once more it has ended: a header
        that announces too much must not start the camera for ever.
        """
        if not self._pace.reached(self._index - self._first, timeout_s):
            return None
        wanted = self._index * self._stride
        while self._at <= wanted:
            if not self._video.grab():
                self._end(wanted)
            self._at += 1
        read, picture = self._video.retrieve()
        if not read:
            raise CameraFault(f"{self._path}: frame {wanted} cannot be decoded", self._shot(None))
        shot = self._shot(picture)
        self._index += 1
        return shot

    def close(self) -> None:
        """Release the decoder and with it the file; nothing can be polled afterwards."""
        self._video.release()

    def _shot(self, picture: RawPicture | None) -> Shot:
        return Shot(index=self._index, captured_ms=self._pace.clock.now_ms(), picture=picture)

    def _end(self, wanted: int) -> None:
        if wanted < self._frames:
            if self._index > self._first:
                raise CameraFault(f"{self._path}: frame {wanted} of {self._frames} cannot be read")
            _log.error("video shorter than announced", file=str(self._path), announced=self._frames, found=self._at)
        raise EndOfPictures
