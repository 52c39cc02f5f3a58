"""A whole line on this machine: its services as child processes, around a broker and a Redis that run already."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from threading import Event

from linewarden.commands.context import publish
from linewarden.demo import line
from linewarden.demo.servers import Servers
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import provision_topics

TORCH_THREADS = max(1, (os.cpu_count() or 2) // 2)
"""Half of the cores: the other half is the rest of the line's."""


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
        """The code with which it ended; None while it runs."""
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
        if code == ConfigurationError.exit_code or self.restarts >= 100:
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
        """Thaw it after `pause`: it goes on where it stood."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to drain and leave; end it by force when it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(15.0)
        except TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self, size: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""


class RunningLine:
    """Topics, recipe and services of one line. `extra` overrides or adds to the services' environment.

    `beside` names services that run besides those of every line.
    """

    def __init__(
        self,
        source: line.PictureSource,
        under: Servers,
        folder: Path,
        extra: Mapping[str, str],
        beside: tuple[str, ...] = (),
    ) -> None:
        self.source, self.folder = source, folder
        self.broker = KafkaBroker(under.kafka())
        self.env = {
            **under.env(),
            "LINEWARDEN_NAMESPACE": line.NAMESPACE.name,
            "LINEWARDEN_INGEST__LINE_ID": line.LINE,
            "LINEWARDEN_INGEST__STATION_ID": line.STATION,
            "LINEWARDEN_INGEST__CAMERAS": source.cameras_json(),
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(folder / "spool"),
            "LINEWARDEN_INSPECT__BUNDLES": str(source.bundle.parent),
            "LINEWARDEN_INSPECT__TORCH_THREADS": str(TORCH_THREADS),
            "LINEWARDEN_KEEPER__BUNDLES": str(source.bundle.parent),
            "LINEWARDEN_LINE__LINE_ID": line.LINE,
            "LINEWARDEN_STATION__DATA": str(folder / "station"),
            "LINEWARDEN_STATION__BUNDLES": str(source.bundle.parent),
            **extra,
        }
        # Sources stop first, so that what is under way is finished by the rest; and whoever keeps the alarms before all
        # that it would take for dead.
        in_order = ("ingest", "line", "inspect", "route", *beside, "keeper", "projector", "station")
        self.services = {name: self.service(name) for name in in_order}

    def service(self, name: str, instance: str = "0") -> Service:
        """One more process of a service; it is not started, and `stop` does not know it."""
        log = self.folder / f"{name}-{instance}.log"
        return Service(name, {**self.env, "LINEWARDEN_INSTANCE": instance}, log)

    def add(self, name: str, instance: str, env: Mapping[str, str]) -> None:
        """Let one more process of a service run beside the others, with that in its environment."""
        more = self.service(name, instance)
        more.env = {**more.env, **env}
        self.services[f"{name} {instance}"] = more

    def set_up(self) -> None:
        """Make the topics, publish the recipe, activate it, and tell production."""
        with self.broker.admin() as admin:
            provision_topics(admin, line.NAMESPACE, line.PARTITIONS)
        records = line.set_up(self.source, time.time_ns() // 1_000_000, has_gate="onward" in self.services)
        publish(self.broker, records, client="demo")

    def start(self, interrupted: Event | None = None, before_ingest: Callable[[], None] = lambda: None) -> None:
        """Start all services and, when they are ready, what the call starts, and ingest.

        Raises:
            ConfigurationError: where one ends or is not ready in time, with the end of its log.
        """
        waiting = [service for name, service in self.services.items() if name != "ingest"]
        for service in waiting:
            service.start()
        await_ready(waiting, interrupted or Event())
        before_ingest()
        self.services["ingest"].start()

    def tend(self) -> None:
        """Start again what died; raises ConfigurationError where that cannot help."""
        for service in self.services.values():
            service.tend()

    def stop(self) -> None:
        """End in order; whatever does not end is killed."""
        for service in self.services.values():
            service.stop()

    def kill(self) -> None:
        """End every service at once, as a power cut does."""
        for service in self.services.values():
            service.kill()


def await_ready(waiting: list[Service], interrupted: Event, ready_s: float = 240.0) -> None:
    """Wait until every service says that it is ready, or until the interruption.

    Raises:
        ConfigurationError: where one ends or is not ready in time, with the end of its log.
    """
    deadline = time.monotonic() + ready_s
    left = list(waiting)
    while left and not interrupted.is_set():
        for service in left:
            service.require_running()
        left = [service for service in left if not service.is_ready()]
        if left and time.monotonic() > deadline:
            raise ConfigurationError(f"{left[0].name} is not ready; {left[0].log} ends with\n{left[0].tail()}")
        interrupted.wait(0.1)
