"""A GigE Vision camera as a process that shows pictures of the demo's line, to be killed, frozen and cut off.

    python -m tests.support.plant_gige_drawn ADDRESS PICTURES.npy

A line on its standard input, `cut` or `well`, says whether the packets of its stream arrive.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from linewarden.demo.fake_cameras import FakeGigeCamera
from linewarden_runtime.ports import Closing


class DrawnGigeCamera(Closing):
    """Such a process at an address of 127/8."""

    def __init__(self, address: str, pictures: Path) -> None:
        self.address = address
        self._command = [sys.executable, "-m", "tests.support.plant_gige_drawn", address, str(pictures)]
        self.start()

    def start(self) -> None:
        """Start it, after it was ended as well; it can be opened when this returns."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"

    def tell(self, word: str) -> None:
        """Say whether its stream arrives."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Signal its process."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals) -> None:
        """Signal its process, and wait for its end."""
        self.send(number)
        self._process.wait(30.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def close(self) -> None:
        """End it, where it runs still."""
        if self._process.poll() is None:
            self.end(signal.SIGKILL)


def main(address: str, pictures: Path) -> None:
    """Serve until the input ends."""
    shown = np.load(pictures)
    camera = FakeGigeCamera(address, "DRAWN", lambda number: shown[number % len(shown)].tobytes())
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    is_cut = threading.Event()
    camera.loses = lambda _block, _packet: is_cut.is_set()
    camera.resends = False
    with camera:
        sys.stdout.write("up\n")
        sys.stdout.flush()
        threading.Thread(target=_follow, args=(is_cut, ended), daemon=True).start()
        ended.wait()


def _follow(is_cut: threading.Event, ended: threading.Event) -> None:
    for word in sys.stdin:
        if word == "cut\n":
            is_cut.set()
        else:
            is_cut.clear()
    ended.set()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
