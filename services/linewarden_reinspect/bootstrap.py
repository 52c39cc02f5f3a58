"""Builds the station and the projector: the only place where clients are made."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from linewarden_reinspect.evidence.store import EvidenceStore
from linewarden_reinspect.projector.projector import Projector
from linewarden_reinspect.projector.service import ProjectorService
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.settings import ProjectorProcess, StationProcess, StationSettings
from linewarden_reinspect.station.app import create_app
from linewarden_reinspect.station.bus import StationBus
from linewarden_reinspect.station.context import Station
from linewarden_reinspect.station.desk import Desk
from linewarden_reinspect.station.server import WebServer, Work
from linewarden_reinspect.station.sessions import Sessions
from linewarden_reinspect.station.watch import QueueWatch
from linewarden_runtime import logs
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import ConfigurationError, Poison
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, stop_on_signals
from linewarden_runtime.ports import Broker
from linewarden_runtime.redis_client import connect
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Role


def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - every service starts the same way
    """Run the station until a signal; the exit code."""
    settings = StationProcess.load()
    logs.configure("station", level=settings.log_level)
    stop = Stop()
    stop_on_signals(stop)
    return run_service("station", lambda stop: run_station(settings, stop), stop)


def projector_main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - every service starts the same way
    """Run the projector until a signal; the exit code."""
    settings = ProjectorProcess.load()
    logs.configure("projector", level=settings.log_level)
    stop = Stop()
    stop_on_signals(stop)
    return run_service("projector", lambda stop: run_projector(settings, stop), stop)


def run_projector(settings: ProjectorProcess, stop: Stop) -> None:
    """Follow `reinspections` until told to stop."""
    clock, health = SystemClock(), Health()
    service = ProjectorService(lambda: open_projector(settings), clock)
    with HealthServer(health, settings.health_port, settings.health_host):
        health.not_ready("view", "not confirmed yet")
        service.run(stop.event, on_turn=lambda ready: _report(health, "view", ready=ready))


def rebuild_queue(settings: ProjectorProcess | None = None) -> int:
    """Empty the queue's view and fill it from the topic; how many records were read. For `linewarden queue rebuild`."""
    with open_projector(settings or ProjectorProcess.load()) as projector:
        return projector.rebuild()


@contextmanager
def open_projector(settings: ProjectorProcess) -> Iterator[Projector]:
    """A projector with clients of its own, which end with the block."""
    namespace, clock, broker = Namespace(settings.namespace), SystemClock(), KafkaBroker(settings.kafka)
    topic = namespace.topic("reinspections")
    letters = DeadLetters("projector", namespace, clock)
    with ExitStack() as stack:
        client = stack.enter_context(connect(settings.redis))
        admin = stack.enter_context(broker.admin())
        reader = stack.enter_context(broker.reader(dict.fromkeys(positions_of(broker, topic), 0)))
        producer = stack.enter_context(broker.producer(client="projector"))

        def poisoned(poison: Poison) -> None:
            if poison.record is not None:
                producer.send(letters.letter(poison.record, poison.cause, poison.detail))

        view = RedisQueue(client, namespace.redis_prefix())
        yield Projector(view, reader, admin, topic, clock, pace=settings.projector.pace(), poisoned=poisoned)


def run_station(settings: StationProcess, stop: Stop) -> None:
    """Serve the station until told to stop."""
    links, health, clock = _links(settings.station), Health(), SystemClock()
    with ExitStack() as stack:
        stack.enter_context(HealthServer(health, settings.health_port, settings.health_host))
        station, evidence = _build(settings, stop, links, stack)
        listening = stack.enter_context(closing(_listen(settings.station)))
        web = WebServer(create_app(station), listening)
        for name, run in (("evidence", evidence.run), ("queue-watch", station.watch.run), ("web", web.run)):
            work = Work(name, run, stop)
            work.start()
            stack.callback(work.finish)
        _print_links(settings.station, listening.getsockname()[1], links)
        while not stop.wait(clock, 1.0):
            _report(health, "evidence", ready=evidence.is_current)
            _report(health, "queue", ready=station.watch.summary is not None)


def _build(
    settings: StationProcess, stop: Stop, links: dict[str, Role], stack: ExitStack
) -> tuple[Station, EvidenceStore]:
    namespace, clock, broker = Namespace(settings.namespace), SystemClock(), KafkaBroker(settings.kafka)
    options = settings.station
    client = stack.enter_context(connect(settings.redis))
    queue = RedisQueue(client, namespace.redis_prefix(), settings.reinspect.terms())
    partitions = len(positions_of(broker, namespace.topic("decisions")))
    bus = StationBus(lambda: broker.producer(client="station"), namespace, partitions, clock, options.ack_s)
    stack.callback(bus.close)
    evidence = evidence_store(broker, namespace, options.cache_bytes)
    desk = Desk(queue, bus, clock)
    station = Station(
        desk=desk,
        sessions=Sessions(links, clock, options.rules()),
        evidence=evidence,
        watch=QueueWatch(queue, desk, clock),
        clock=clock,
        namespace=namespace.name,
        secure_cookie=options.secure_cookie,
        lines=options.lines,
        stop=stop.event,
    )
    return station, evidence


def evidence_store(broker: Broker, namespace: Namespace, cache_bytes: int) -> EvidenceStore:
    """The evidence of a namespace, not yet following."""
    positions = positions_of(broker, namespace.topic("evidence"))
    return EvidenceStore(lambda: broker.reader(dict.fromkeys(positions, 0), max_records=32), cache_bytes, SystemClock())


def sign_in_link(base_url: str, token: str) -> str:
    """The link that signs in; the secret stands behind `#` and is in no server's log."""
    return f"{base_url.rstrip('/')}/sign-in#{token}"


def _links(settings: StationSettings) -> dict[str, Role]:
    operator = settings.link_token or secrets.token_urlsafe(24)
    lead = settings.lead_token or secrets.token_urlsafe(24)
    return {operator: Role.OPERATOR, lead: Role.LEAD}


def _print_links(settings: StationSettings, port: int, links: dict[str, Role]) -> None:
    everywhere = ipaddress.ip_address(settings.host).is_unspecified if settings.host[:1].isdigit() else False
    base = settings.public_url or f"http://{socket.gethostname() if everywhere else settings.host}:{port}"
    for token, role in links.items():
        sys.stdout.write(f"station, sign in as {role.value}: {sign_in_link(base, token)}\n")
    sys.stdout.flush()


def _listen(settings: StationSettings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); set LINEWARDEN_STATION__PORT"
        ) from error


def _report(health: Health, part: str, *, ready: bool) -> None:
    health.beat()
    if ready:
        health.ready(part)
    else:
        health.not_ready(part, "not there yet")
