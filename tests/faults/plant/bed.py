"""What a plant row runs on: Apache Kafka, inspect and route around one camera, and where it has one an output."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from linewarden.demo import line
from linewarden.demo.running import RunningLine, Service, await_ready
from linewarden.demo.servers import Servers
from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import provision_topics
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from tests.faults.matrix.bed import LineBed
from tests.faults.matrix.flow import Flow

DECIDE_BY_MS = 5_000
PARTS_PER_S = 4.0
_BEYOND_S = 20.0
"""How long after its limit a fault is still waited for: late is told with its time, and fails."""
_LOOK_S = 0.03
_RESTARTS = {"LINEWARDEN_INGEST__RESTART_AFTER_S": "0.5", "LINEWARDEN_INGEST__RESTART_AT_MOST_S": "1"}
"""As short as the strikes are: back-offs grow over faults that come by the minute."""


class NotNamed(Exception):
    """Nothing named the fault, not even long after the stated time."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How long after the strike something named the fault, and its words."""

    seconds: float
    words: str


class PlantFlow(Flow):
    """Also keeps captures and dispositions themselves, each once."""

    def __init__(self, running: RunningLine) -> None:
        super().__init__(running.broker)
        self.captures: dict[str, Capture] = {}
        self.dispositions: dict[str, Disposition] = {}
        self.doubts: list[str] = []
        """What captures said is wrong with them, in the order of their arrival."""

    def _enter(self, message: Message, at_ms: int) -> None:
        super()._enter(message, at_ms)
        match message:
            case Capture() if message.frame_id not in self.captures:
                self.captures[message.frame_id] = message
                if wrong := [one.value for one in (message.lost, *message.conditions) if one is not None]:
                    self.doubts.append(" ".join([*wrong, message.lost_detail or ""]).strip())
            case Disposition():
                self.dispositions.setdefault(f"{message.visit_id}:{message.revision}", message)
            case _:
                pass


class PlantBed(LineBed):
    """A line of one station with one camera, whose faults are named within a time."""

    flow: PlantFlow

    def await_named(self, limit_s: float, look: Callable[[], str | None]) -> Naming:
        """Follow until `look` gives words.

        Raises:
            NotNamed: where it gives none.
        """
        begun = time.monotonic()
        while (words := look()) is None:
            if time.monotonic() - begun > limit_s + _BEYOND_S:
                raise NotNamed(f"not named within {limit_s + _BEYOND_S:.0f} s")
            self.flow.follow(_LOOK_S)
        return Naming(time.monotonic() - begun, words)

    def await_quiet(self, name: str) -> None:
        """Until a service is ready and finds nothing wrong, so that what it says next is said of what is done next.

        Raises:
            NotBack: where it goes on finding something.
        """
        self.until(lambda: unwell(self.services[name]) is None, f"{name} finds nothing wrong")


def unwell(service: Service) -> str | None:
    """What a service says is wrong, or that it does not answer; None where all is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{service.health_port}/readyz", timeout=0.5) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as refusal:
        told = json.loads(refusal.read())
    except (OSError, ValueError):
        return f"{service.name} does not answer"
    found = {**told["waiting"], **told["unwell"]}
    return "; ".join(f"{part}: {why}" for part, why in sorted(found.items())) or None


def children(service: Service) -> list[int]:
    """Process ids of a service's own children: of ingest, its cameras' processes."""
    pid = _pid(service)
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def signal_group(service: Service, number: int) -> None:
    """Signal a service and all that it has started."""
    os.killpg(_pid(service), number)


def _pid(service: Service) -> int:
    assert service.process is not None, service.name
    return service.process.pid


@contextmanager
def plant_bed(
    folder: Path,
    camera: Mapping[str, Any],
    output: Mapping[str, str] | None,
    environment: Mapping[str, str],
    *,
    has_gate: bool,
) -> Iterator[PlantBed]:
    """Start everything around a camera, as ingest reads it, and an output's settings; it ends with the block."""
    source = line.PictureSource((dict(camera),), ((camera["view_id"], camera["camera_id"]),), None, None, DECIDE_BY_MS)
    with ExitStack() as stack:
        kafka = stack.enter_context(ApacheKafka(folder / "kafka"))
        under = Servers(kafka, free_port())  # nothing here asks Redis
        beside = ("onward",) if has_gate else ()
        running = RunningLine(source, under, folder, {**_RESTARTS, **environment, **(output or {})}, beside)
        with running.broker.admin() as admin:
            provision_topics(admin, line.NAMESPACE, line.PARTITIONS)
        running.set_up()
        flow = stack.enter_context(PlantFlow(running))
        made = PlantBed(folder, running, flow)
        made.services = {name: made.services[name] for name in ("ingest", "inspect", "route")}
        if output is not None:
            made.services["onward"] = running.service("onward")
        stack.callback(_end, made)
        others = [service for name, service in made.services.items() if name != "ingest"]
        for service in others:
            service.start()
        await_ready(others, Event(), 150.0)
        made.services["ingest"].start()
        yield made


def _end(made: PlantBed) -> None:
    for service in made.services.values():
        service.resume()
        if service.name == "ingest" and service.exit_code() is None:
            for child in children(service):
                os.kill(child, signal.SIGCONT)
        service.stop()
        service.kill()
