"""Lets processes with this folder on PYTHONPATH read a video file as a USB camera: no device can be had here.

Beside the file FILM lies FILM.does, a word: `runs` (pictures at 4 a second), `gone` (cannot be opened, reads give
nothing) or `hangs` (a read does not come back). FILM.at is the next picture's number, so that none comes twice.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2

from linewarden_ingest.cameras import usb

_PERIOD_S = 0.25


class FilmCapture:
    """A real VideoCapture on a file, which gives pictures as a device does."""

    def __init__(self, film: Path) -> None:
        self._does, self._at = film.with_suffix(".does"), film.with_suffix(".at")
        self._video = cv2.VideoCapture(str(film))
        self._count = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))
        if self._count:
            self._video.set(cv2.CAP_PROP_POS_FRAMES, int(self._at.read_text(encoding="ascii")) % self._count)
        self._due = time.monotonic()

    def isOpened(self) -> bool:
        """Whether the device is there."""
        return self._word() != "gone" and self._video.isOpened()

    def read(self) -> tuple[bool, Any]:
        """The next picture, when it is due."""
        self._due = max(self._due + _PERIOD_S, time.monotonic())
        while (word := self._word()) == "hangs" or (word == "runs" and time.monotonic() < self._due):
            time.sleep(0.01)
        if word == "gone":
            return False, None
        number = int(self._at.read_text(encoding="ascii"))
        self._at.write_text(str(number + 1), encoding="ascii")
        if number % self._count == 0:
            self._video.set(cv2.CAP_PROP_POS_FRAMES, 0)
        return self._video.read()

    def release(self) -> None:
        """Close the file."""
        self._video.release()

    def get(self, number: int) -> float:
        """A setting."""
        return self._video.get(number)

    def set(self, number: int, value: float) -> bool:
        """Change a setting."""
        return self._video.set(number, value)

    def _word(self) -> str:
        return self._does.read_text(encoding="ascii")


usb.UsbReader.__init__.__defaults__ = (FilmCapture,)
