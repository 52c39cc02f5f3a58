"""Cameras that are given their pictures: files of a folder, files that are written into one, posts by HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx

from linewarden_runtime.processes import free_port
from linewarden_schemas.ids import digest
from tests.faults.matrix.oracle import Judgement
from tests.faults.plant.bed import Naming, PlantBed, children, signal_group
from tests.faults.plant.cameras import CAMERA, RATE_PER_S, camera_named
from tests.faults.plant.rig import PlantRig, drawn, png_of
from tests.support.tcp_proxy import TcpProxy

GAP_S = 1.5
"""A camera of these is slow where nothing came for so long: they give a picture each quarter of a second."""
GIVE_UP_S = 2.0
TOKEN = "a secret of some length"


def ingest_killed(bed: PlantBed, limit_s: float) -> Naming:
    """SIGKILL of ingest with its cameras' processes."""
    return camera_named(bed, limit_s, lambda: signal_group(bed.services["ingest"], signal.SIGKILL))


def ingest_restarted(bed: PlantBed, limit_s: float) -> Naming:
    """A stop in good order, and a start; named while it is away."""
    service = bed.services["ingest"]
    found = camera_named(bed, limit_s, service.stop)
    service.start()
    return found


def reader_frozen(bed: PlantBed, limit_s: float) -> Naming:
    """SIGSTOP of the camera's process."""
    (reader, *_) = children(bed.services["ingest"])
    try:
        return camera_named(bed, limit_s, lambda: os.kill(reader, signal.SIGSTOP))
    finally:
        os.kill(reader, signal.SIGCONT)


class FolderRig(PlantRig):
    """A folder of pictures, read again and again."""

    def __init__(self, folder: Path) -> None:
        pictures = drawn(folder)
        self._folder = folder / "in"
        self._folder.mkdir()
        for number in range(len(pictures)):
            (self._folder / f"{number:04d}.png").write_bytes(png_of(pictures, number))
        shared = {"path": str(self._folder), "rate_per_s": RATE_PER_S, "repeat": 10_000}
        self.camera = {**CAMERA, "kind": "folder", **shared, "limits": {"gap_s": GAP_S}}

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of ingest."""
        return ingest_killed(bed, limit_s)

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The folder is not there, as when a share is lost."""
        return share_lost(self._folder, bed, limit_s)

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGSTOP of the process that reads."""
        return reader_frozen(bed, limit_s)

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """Ingest ends in order, and is started."""
        return ingest_restarted(bed, limit_s)

    def close(self) -> None:
        """Nothing runs."""


def share_lost(folder: Path, bed: PlantBed, limit_s: float) -> Naming:
    """The folder is away until that is named."""
    away = folder.with_suffix(".away")
    try:
        return camera_named(bed, limit_s, lambda: folder.rename(away))
    finally:
        away.rename(folder)


class SenderRig(PlantRig):
    """Gives pictures, each another, on a thread of its own; knows which were given."""

    def __init__(self, folder: Path) -> None:
        self._pictures = drawn(folder)
        self.given: dict[str, int] = {}
        """Digest and number of each picture that the plant may rely on."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._give_all, name="sender", daemon=True)

    def settle(self, bed: PlantBed) -> None:
        """Until everything that was given has arrived."""
        given = set(self.given)
        bed.until(lambda: given <= _digests(bed).keys(), "every picture that was given is captured")

    def judge(self, bed: PlantBed) -> Judgement:
        """Of what was given nothing twice; that all of it is there was awaited."""
        told = _digests(bed)
        return Judgement(doubled=frozenset(f"{one}: captured {told[one]} times" for one in self.given if told[one] > 1))

    def close(self) -> None:
        """Give nothing more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _give_all(self) -> None:
        number = 0
        while not self._over.wait(1 / RATE_PER_S):
            picture = png_of(self._pictures, number)
            if self._give(number, picture):
                self.given[digest(picture)] = number
                number += 1

    @abstractmethod
    def _give(self, number: int, picture: bytes) -> bool:
        """Give one; whether it is surely taken."""


def _digests(bed: PlantBed) -> Counter[str]:
    return Counter(one.sha256 for one in bed.flow.captures.values() if one.sha256 is not None)


class WatchRig(SenderRig):
    """A program that renames each file into place, and another that is struck in the middle of one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder, self._halves = folder / "in", 0
        self._folder.mkdir()
        waits = {"settle_s": 0.3, "give_up_s": GIVE_UP_S, "poll_s": 0.5, "limits": {"gap_s": GAP_S}}
        self.camera = {**CAMERA, "kind": "watch", "path": str(self._folder), **waits}
        self._thread.start()

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of a program in the middle of a file, whose half stays."""
        with self._half_written(rng) as writer:
            return camera_named(bed, limit_s, writer.kill)

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The folder is not there, as when a share is lost."""
        return share_lost(self._folder, bed, limit_s)

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGSTOP of a program in the middle of a file."""
        with self._half_written(rng) as writer:
            return camera_named(bed, limit_s, lambda: writer.send_signal(signal.SIGSTOP))

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """Ingest ends in order, and is started."""
        return ingest_restarted(bed, limit_s)

    def _give(self, number: int, picture: bytes) -> bool:
        part = self._folder / f".{number}.part"
        try:
            part.write_bytes(picture)
            part.rename(self._folder / f"{number}.png")
        except FileNotFoundError:  # the share is away
            return False
        return True

    @contextlib.contextmanager
    def _half_written(self, rng: Random) -> Iterator[subprocess.Popen[bytes]]:
        self._halves += 1
        picture = png_of(self._pictures, 1_000_000 + self._halves)
        name, size = self._folder / f"half-{self._halves}.png", rng.randrange(20, len(picture) - 20)
        command = [sys.executable, "-m", "tests.support.half_writer", str(name), str(size)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            writer.stdin.write(picture)
            writer.stdin.close()
            assert writer.stdout.readline() == b"half\n"
            try:
                yield writer
            finally:
                writer.kill()


class HttpRig(SenderRig):
    """A smart camera that posts each picture under a key of its own until it is answered 202."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        port = free_port()
        self._wire = TcpProxy(port).start()
        (folder / "token").write_text(TOKEN, encoding="ascii")
        limits = {"limits": {"gap_s": GAP_S}, "body_s": 1.0}
        self.camera = {**CAMERA, "kind": "http", "port": port, "token_file": str(folder / "token"), **limits}
        self._client = httpx.Client(timeout=1.0, trust_env=False)
        self._stalls = threading.Event()
        self._thread.start()

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of ingest while pictures are posted."""
        return ingest_killed(bed, limit_s)

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The wire carries nothing any more, and neither end is told."""
        try:
            return camera_named(bed, limit_s, self._wire.freeze)
        finally:
            self._wire.heal()

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The camera stands still with half a picture posted."""
        try:
            return camera_named(bed, limit_s, self._stalls.set)
        finally:
            self._stalls.clear()

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """Ingest ends in order, and is started."""
        return ingest_restarted(bed, limit_s)

    def close(self) -> None:
        """Post nothing more."""
        self._stalls.clear()
        super().close()
        self._client.close()
        self._wire.close()

    def _give(self, number: int, picture: bytes) -> bool:
        head = {
            "Content-Type": "image/png",
            "Authorization": f"Bearer {TOKEN}",
            "Idempotency-Key": f"shot-{number}",
            "Content-Length": str(len(picture)),
        }

        def body() -> Iterator[bytes]:
            yield picture[: len(picture) // 2]
            while self._stalls.is_set() and not self._over.wait(0.05):
                pass
            yield picture[len(picture) // 2 :]

        try:
            url = f"http://127.0.0.1:{self._wire.port}/captures"
            answer = self._client.post(url, content=body(), headers=head)
        except httpx.TransportError:
            return False
        return answer.status_code == 202
