"""Debian's fake GigE camera (aravis-tools) as a process of its own, to be killed, frozen and thawed."""

from __future__ import annotations

import signal
from subprocess import DEVNULL, Popen

from linewarden_runtime.ports import Closing


class GigeServer(Closing):
    """A camera of 512 x 512 at 127.0.0.1 with a serial; of a thousand packets it loses `lost_per_thousand`."""

    address = "127.0.0.1"

    def __init__(self, serial: str, lost_per_thousand: int = 0) -> None:
        words = ["arv-fake-gv-camera-0.8", "-i", self.address, "-s", serial, "-r", str(lost_per_thousand)]
        self._process = Popen(words, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)

    def pause(self) -> None:
        """Freeze it, as a device that hangs."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw it after `pause`: it goes on where it stood."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it, as a power cut does."""
        self._process.kill()
        self._process.wait()
