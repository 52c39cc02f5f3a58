"""Cameras that send by themselves, struck: RTSP, USB on a file, GigE Vision."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import cv2
import numpy as np

from linewarden_schemas.vocabulary import CameraCondition
from tests.faults.plant.bed import Naming, PlantBed, children, unwell
from tests.faults.plant.rig import PlantRig, drawn
from tests.support.plant_gige_drawn import DrawnGigeCamera
from tests.support.plant_rtsp import FedCamera
from tests.support.tcp_proxy import TcpProxy

CAMERA = {"camera_id": "cam1", "view_id": "top"}
SILENCE_S = 2.0
_ON_A_FILE = Path(__file__).parents[2] / "support" / "usb_on_a_file"
RATE_PER_S = 4.0


def camera_named(bed: PlantBed, limit_s: float, strike: Callable[[], object]) -> Naming:
    """Strike a camera that is well, and wait until ingest or a capture says what is wrong."""
    bed.await_quiet("ingest")
    before = len(bed.flow.doubts)
    strike()

    def look() -> str | None:
        # A picture that comes again is no news of what is done here.
        told = [one for one in bed.flow.doubts[before:] if one != CameraCondition.FROZEN]
        if told:
            return f"capture: {told[0]}"
        return unwell(bed.services["ingest"])

    return bed.await_named(limit_s, look)


class RtspRig(PlantRig):
    """GStreamer's server behind a proxy."""

    def __init__(self, folder: Path) -> None:
        pictures = drawn(folder)
        self._device = FedCamera(folder / "rtsp.log", rate_per_s=RATE_PER_S)
        self._device.shows = lambda number: np.repeat(pictures[number % len(pictures)][..., None], 3, axis=2)
        self._wire = TcpProxy(self._device.server.port).start()
        url = f"rtsp://127.0.0.1:{self._wire.port}/camera"
        self.camera = {**CAMERA, "kind": "rtsp", "url": url, "silence_s": SILENCE_S, "open_limit_s": 3.0}

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of the server."""
        found = camera_named(bed, limit_s, self._device.kill)
        self._device.come_back()
        return found

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The wire carries nothing any more, and neither end is told."""
        try:
            return camera_named(bed, limit_s, self._wire.freeze)
        finally:
            self._wire.heal()

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGSTOP of the server."""
        try:
            return camera_named(bed, limit_s, self._device.pause)
        finally:
            self._device.resume()

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The server ends and is there again at once."""
        return camera_named(bed, limit_s, self._device.come_back)

    def close(self) -> None:
        """End the server and the wire."""
        self._device.close()
        self._wire.close()


class UsbRig(PlantRig):
    """A video file in the device's place, read by a real VideoCapture; nothing of a driver is tried."""

    def __init__(self, folder: Path) -> None:
        pictures = drawn(folder)
        film = folder / "film.avi"
        size = (pictures.shape[2], pictures.shape[1])
        writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), RATE_PER_S, size)
        for picture in pictures:
            writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
        writer.release()
        self._does = film.with_suffix(".does")
        self._be("runs")
        film.with_suffix(".at").write_text("0", encoding="ascii")
        self.camera = {**CAMERA, "kind": "usb", "device": str(film), "silence_s": SILENCE_S}
        self.environment = {"PYTHONPATH": os.pathsep.join((str(_ON_A_FILE), os.environ.get("PYTHONPATH", "")))}

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of the process that reads it, as by a driver that crashes."""
        return camera_named(bed, limit_s, lambda: os.kill(children(bed.services["ingest"])[0], signal.SIGKILL))

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """Reads give nothing, and it cannot be opened."""
        return self._while("gone", bed, limit_s)

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """A read does not come back."""
        return self._while("hangs", bed, limit_s)

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """It is gone for a moment, as when a hub resets it."""
        back = threading.Timer(0.5, self._be, ("runs",))

        def reset() -> None:
            self._be("gone")
            back.start()

        try:
            return camera_named(bed, limit_s, reset)
        finally:
            back.join()

    def close(self) -> None:
        """Let a read that hangs come back."""
        self._be("gone")

    def _while(self, word: str, bed: PlantBed, limit_s: float) -> Naming:
        try:
            return camera_named(bed, limit_s, lambda: self._be(word))
        finally:
            self._be("runs")

    def _be(self, word: str) -> None:
        told = self._does.with_suffix(".new")
        told.write_text(word, encoding="ascii")
        told.replace(self._does)


class GenicamRig(PlantRig):
    """A fake GigE camera as a process of its own."""

    def __init__(self, folder: Path) -> None:
        pictures = drawn(folder)
        self._device = DrawnGigeCamera(_free_address(), folder / "pictures.npy")
        self.camera = {
            **CAMERA,
            "kind": "genicam",
            "device": self._device.address,
            "pixel_format": "Mono8",
            "width": pictures.shape[2],
            "height": pictures.shape[1],
            "rate_per_s": RATE_PER_S,
            "buffer_limit_s": SILENCE_S,
        }

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of the camera."""
        try:
            return camera_named(bed, limit_s, lambda: self._device.end(signal.SIGKILL))
        finally:
            self._device.start()

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """No packet of its stream arrives, also none that is asked for again."""
        try:
            return camera_named(bed, limit_s, lambda: self._device.tell("cut"))
        finally:
            self._device.tell("well")

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGSTOP of the camera."""
        try:
            return camera_named(bed, limit_s, lambda: self._device.send(signal.SIGSTOP))
        finally:
            self._device.send(signal.SIGCONT)

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The camera ends and is there again at once, and knows nobody any more."""

        def again() -> None:
            self._device.end(signal.SIGTERM)
            self._device.start()

        return camera_named(bed, limit_s, again)

    def close(self) -> None:
        """End the camera."""
        self._device.close()


def _free_address() -> str:
    """One of this machine's that no other fake camera has."""
    for last in range(20, 255):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
            try:
                tried.bind((f"127.0.9.{last}", 3956))
            except OSError:
                continue
            return f"127.0.9.{last}"
    raise OSError("every address has a fake camera")
