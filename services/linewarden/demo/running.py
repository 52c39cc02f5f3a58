"""A whole line on this machine: its services around a broker and a Redis that run already."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.provision import provision_topics

from . import line
from .servers import Servers
from .services import Service, stop_all

SERVICES = ("ingest", "inspect", "route", "keeper", "projector", "station")
"""Order of stopping: sources first, so that what is under way is finished by the rest."""

TORCH_THREADS = max(1, (os.cpu_count() or 2) // 2)
"""Half of the cores: the other half is the rest of the line's."""

_READY_S = 90.0
_LOOK_S = 0.1
_DELIVERY_S = 15.0


class RunningLine:
    """Topics, recipe and services of one line. `extra` overrides or adds to the services' environment."""

    def __init__(self, source: line.Source, under: Servers, folder: Path, extra: Mapping[str, str]) -> None:
        self.source, self.folder = source, folder
        self.broker = KafkaBroker(under.kafka())
        self._env = {**under.env(), **_settings(source, folder), **extra}
        self.services = {name: self.service(name) for name in SERVICES}

    def service(self, name: str, instance: str = "0") -> Service:
        """One more process of a service; it is not started, and `stop` does not know it."""
        log = self.folder / f"{name}-{instance}.log"
        return Service(name, {**self._env, "LINEWARDEN_INSTANCE": instance}, log)

    def set_up(self) -> None:
        """Make the topics, publish the recipe, activate it, and tell production."""
        with self.broker.admin() as admin:
            provision_topics(admin, line.NAMESPACE, line.PARTITIONS)
        records = line.set_up(self.source, time.time_ns() // 1_000_000)
        with self.broker.producer(client="demo") as producer:
            for delivery in [producer.send(record) for record in records]:
                delivery.result(_DELIVERY_S)

    def start(self, interrupted: Event | None = None) -> None:
        """Start all services and, when they are ready, ingest.

        Raises:
            ConfigurationError: where one ends or is not ready in time, with the end of its log.
        """
        waiting = [service for name, service in self.services.items() if name != "ingest"]
        for service in waiting:
            service.start()
        await_ready(waiting, interrupted or Event())
        self.services["ingest"].start()

    def tend(self) -> None:
        """Start again what died; raises ConfigurationError where that cannot help."""
        for service in self.services.values():
            service.tend()

    def stop(self) -> None:
        """End in order; whatever does not end is killed."""
        stop_all(list(self.services.values()))

    def kill(self) -> None:
        """End everything at once."""
        for service in self.services.values():
            service.kill()


def await_ready(waiting: list[Service], interrupted: Event, ready_s: float = _READY_S) -> None:
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
        interrupted.wait(_LOOK_S)


def _settings(source: line.Source, folder: Path) -> dict[str, str]:
    return {
        "LINEWARDEN_NAMESPACE": line.NAMESPACE.name,
        "LINEWARDEN_INGEST__LINE_ID": line.LINE,
        "LINEWARDEN_INGEST__STATION_ID": line.STATION,
        "LINEWARDEN_INGEST__CAMERAS": source.cameras_json(),
        "LINEWARDEN_INGEST__SPOOL__FOLDER": str(folder / "spool"),
        "LINEWARDEN_INSPECT__BUNDLES": str(source.bundle.parent),
        "LINEWARDEN_INSPECT__TORCH_THREADS": str(TORCH_THREADS),
        "LINEWARDEN_KEEPER__BUNDLES": str(source.bundle.parent),
        "LINEWARDEN_STATION__DATA": str(folder / "station"),
        "LINEWARDEN_STATION__BUNDLES": str(source.bundle.parent),
    }
