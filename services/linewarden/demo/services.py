"""The services of the demo as child processes: started together, awaited, restarted when fenced, stopped in order."""

from __future__ import annotations

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import free_port

_MOST_RESTARTS = 100
_STOP_S = 15.0


@dataclass(slots=True)
class Service:
    """One child: its command is `linewarden run <name>`; its log is kept in the demo's folder."""

    name: str
    env: Mapping[str, str]
    log: Path
    health_port: int = field(default_factory=free_port)
    process: Popen[bytes] | None = None
    restarts: int = 0

    def start(self) -> None:
        """Start in a session of its own, so that Ctrl-C reaches the demo alone, which then stops it in order."""
        command = [sys.executable, "-m", "linewarden", "run", self.name]
        environment = {**os.environ, **self.env, "LINEWARDEN_HEALTH_PORT": str(self.health_port)}
        with self.log.open("ab") as log:
            self.process = Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self.process is None else self.process.poll()

    def is_ready(self) -> bool:
        """Whether it says so itself."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def tend(self) -> None:
        """Start it again where it died, as a supervisor does.

        Raises:
            ConfigurationError: with the end of its log, where starting it again cannot help or did not.
        """
        code = self.exit_code()
        if code is None or code == 0:
            return
        if code == ConfigurationError.exit_code or self.restarts >= _MOST_RESTARTS:
            self.require_running()
        self.restarts += 1
        self.start()

    def require_running(self) -> None:
        """Raise ConfigurationError with the end of its log where it ended."""
        code = self.exit_code()
        if code is not None:
            raise ConfigurationError(f"{self.name} ended with code {code}; {self.log} ends with\n{self.tail()}")

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Freeze it: its connections stay open and nothing answers."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to drain and leave; end it by force when it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self, size: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""


def stop_all(services: list[Service]) -> None:
    """Stop in the given order: sources first, so that what is under way is finished by the rest."""
    for service in services:
        service.stop()
