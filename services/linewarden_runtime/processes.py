"""Servers run as child processes: own process group, log kept, awaited, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Closing


def free_port(host: str = "127.0.0.1") -> int:
    """Find a TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=0.5):
        return True
    return False


class ServerProcess:
    """One server: started in its own process group, so that Ctrl-C stops our services before it.

    `log` keeps what the server printed, over restarts.
    """

    def __init__(self, command: Sequence[str], log: Path, *, cwd: Path | None = None) -> None:
        self._command = list(command)
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self.log = log

    def start(self, healthy: Callable[[], bool], timeout_s: float) -> None:
        """Start and wait for health; raises ConfigurationError with the log's end if it does not come."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=self._cwd, start_new_session=True
            )
        deadline = time.monotonic() + timeout_s
        while not healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ConfigurationError(f"{self._command[0]} did not start; {self.log} ends with\n{self.tail()}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Process id of the running server; raises ConfigurationError when it is not running."""
        if self._process is None:
            raise ConfigurationError(f"{self._command[0]} is not running")
        return self._process.pid

    def is_running(self) -> bool:
        """Whether the process was started and has not ended; a frozen one runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to end; end it by force when it does not."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it and its children at once, as a power cut does."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Freeze it; connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on, by SIGCONT; one that is not frozen is left as it is."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def tail(self, size: int = 2000) -> str:
        """Give the end of the log."""
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""


class LocalServer(Closing):
    """One `process` on a free port of this machine, its data in `folder`, stopped at the end of its with-block.

    A subclass makes the process; `start_s` and `stop_s` are how long its start and its end are waited for.
    """

    process: ServerProcess
    start_s = 20.0
    stop_s = 10.0

    def __init__(self, kind: str, folder: Path | None, port: int | None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"linewarden-{kind}-"))
        self.port = port or free_port()

    def start(self) -> Self:
        """Start and wait until it serves; raises ConfigurationError with the log's end if it does not come."""
        self.process.start(self.is_serving, self.start_s)
        return self

    def is_serving(self) -> bool:
        """Whether its port accepts connections on this machine."""
        return is_listening(self.port)

    def stop(self) -> None:
        """Ask it to end, and end it by force after `stop_s`."""
        self.process.stop(self.stop_s)

    def close(self) -> None:
        """Stop it, as `stop` does, for use in a with statement."""
        self.stop()

    def __enter__(self) -> Self:
        return self.start()
