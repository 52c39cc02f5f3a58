"""Services as real processes, to be killed, frozen and thawed; and waiting for what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

DEADLINE_S = 60.0
_LOOK_EVERY_S = 0.05


class ServiceProcess:
    """`python -m <module>` with settings from its environment; its log lies in `log`."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", module]
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("LINEWARDEN_")}
        self._environment |= environment
        self._process: subprocess.Popen[bytes] | None = None
        self.log = log

    def start(self) -> None:
        """Start it; that it works has to be waited for."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self._signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        self._signal(signal.SIGTERM)
        return self.wait()

    def pause(self) -> None:
        """Freeze it: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw it."""
        self._signal(signal.SIGCONT)

    def wait(self, timeout_s: float = DEADLINE_S) -> int:
        """Wait for its end, and give its exit code."""
        assert self._process is not None, "it was never started"
        return self._process.wait(timeout_s)

    def close(self) -> None:
        """End it if it runs still."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it was never started"
        os.kill(self._process.pid, number)


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Look again and again until a condition holds; fails when it does not come true in time."""
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, f"not within {deadline_s} s: {what}"
        threading.Event().wait(_LOOK_EVERY_S)
