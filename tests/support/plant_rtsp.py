"""A real RTSP camera: GStreamer's server as a process that tests feed, cut and freeze; a wire that loses packets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from linewarden.demo.rtsp import RtspServer, rtp_jpeg
from linewarden_ingest.cameras.interface import RawPicture
from linewarden_runtime.ports import Closing

Mangle = Callable[[bytes], bytes | None]


def scene(number: int, height: int = 240, width: int = 320) -> RawPicture:
    """A picture of its own for each number from 0 to 255: a gradient whose mean grey value is about the number."""
    ramp = np.linspace(-8, 8, width)[None, :] + np.linspace(-4, 4, height)[:, None] + number
    return np.repeat(np.clip(ramp, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


class FedCamera(Closing):
    """An RTSP camera that sends `shows(n)` for n = 0, 1, ..., `rate_per_s` a second, None for nothing."""

    def __init__(self, log: Path, *arguments: str, rate_per_s: float = 25.0) -> None:
        self.shows: Callable[[int], RawPicture | None] = lambda number: scene(number % 200)
        self.rate_per_s, self.sent = rate_per_s, 0
        self._log, self._arguments = log, arguments
        self._over = threading.Event()
        self.server = RtspServer(log, *arguments)
        self._thread = threading.Thread(target=self._feed, name="fed-camera", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where its stream is."""
        return self.server.url

    def kill(self) -> None:
        """End it at once, as when its plug is pulled and the switch tells."""
        self.server.process.kill()
        self.server.process.wait()

    def pause(self) -> None:
        """Freeze it: its connection stays and says nothing more."""
        os.kill(self.server.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw it."""
        os.kill(self.server.process.pid, signal.SIGCONT)

    def come_back(self) -> None:
        """Start it anew where it was, after `kill`."""
        self.server.close()
        self.server = RtspServer(self._log, *self._arguments, "--port", str(self.server.port))

    def close(self) -> None:
        """End it, and what feeds it."""
        self._over.set()
        self.server.process.kill()
        self._thread.join()
        self.server.close()

    def _feed(self) -> None:
        while not self._over.wait(1 / self.rate_per_s):
            if (picture := self.shows(self.sent)) is not None:
                with contextlib.suppress(BrokenPipeError, ValueError):  # it is dead, or closed
                    self.server.send(rtp_jpeg(picture))
            self.sent += 1


class LossyWire(Closing):
    """Carries one client to the server on `target`; what the server sends of its video goes through `mangle`.

    `mangle` gets each RTP packet and gives what is sent instead of it, None for nothing.
    """

    def __init__(self, target: int) -> None:
        self.mangle: Mangle = lambda packet: packet
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Carry nobody any more; who is carried stays until an end closes."""
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=_copy, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), server, client, server.makefile("rb") as stream:
            for chunk in self._chunks(stream):
                client.sendall(chunk)

    def _chunks(self, stream: BinaryIO) -> Iterator[bytes]:
        """What is passed on: answers in text whole, and packets interleaved between them (RFC 2326, 10.12)."""
        while first := stream.read(1):
            if first == b"$":
                head = stream.read(3)
                packet = stream.read(int.from_bytes(head[1:], "big"))
                sent = self.mangle(packet) if head[0] == 0 else packet
                if sent is not None:
                    yield first + head[:1] + len(sent).to_bytes(2, "big") + sent
            else:
                yield first + stream.readline()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
