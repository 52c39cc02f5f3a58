"""Builds the station and the projector: the only place where clients are made."""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import quote

import structlog

from linewarden_reinspect import metrics
from linewarden_reinspect.evidence.store import EvidenceStore
from linewarden_reinspect.projector.projector import Projector
from linewarden_reinspect.projector.service import ProjectorService
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.settings import ProjectorProcess, StationProcess, StationSettings
from linewarden_reinspect.station.access.access import Access, AccessRules, opened_access
from linewarden_reinspect.station.access.links import LinkKind
from linewarden_reinspect.station.access.oidc import OpenIdProvider
from linewarden_reinspect.station.alarm_watch import AlarmWatch
from linewarden_reinspect.station.app import create_app
from linewarden_reinspect.station.bus import StationBus
from linewarden_reinspect.station.context import StationContext
from linewarden_reinspect.station.desk import ReviewDesk
from linewarden_reinspect.station.insight.insight import opened_insight
from linewarden_reinspect.station.outbox import Outbox
from linewarden_reinspect.station.recipes import Recipes
from linewarden_reinspect.station.references import References
from linewarden_reinspect.station.server import WebServer
from linewarden_reinspect.station.studies import Studies
from linewarden_reinspect.station.watch import QueueWatch
from linewarden_runtime import logs
from linewarden_runtime.alarm_book import AlarmBook
from linewarden_runtime.background import Background
from linewarden_runtime.books import RecipeBook, positions_of
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import ConfigurationError, DeliveryFailed, Poison
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, stop_on_signals
from linewarden_runtime.ports import Broker
from linewarden_runtime.redis_client import MemoryWatch, connect
from linewarden_runtime.topic_settings import verify_topics
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Role

_log = structlog.get_logger(__name__)


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
    with HealthServer(health, settings.health_port, settings.health_host), connect(settings.redis) as client:
        memory = MemoryWatch(client, clock)
        memory.require_none()

        def on_turn(ready: bool) -> None:
            _report(health, "view", ready=ready)
            _report_memory(health, memory)

        health.not_ready("view", "not confirmed yet")
        service.run(stop.event, on_turn=on_turn)


def rebuild_queue(settings: ProjectorProcess | None = None) -> int:
    """Empty the queue's view and fill it from the topic; how many records were read. For `linewarden queue rebuild`."""
    with open_projector(settings or ProjectorProcess.load()) as projector:
        return projector.rebuild()


@contextmanager
def open_projector(settings: ProjectorProcess) -> Iterator[Projector]:
    """A projector with clients of its own, which end with the block."""
    namespace, clock, broker = Namespace(settings.namespace), SystemClock(), KafkaBroker(settings.kafka)
    topic = namespace.topic("reinspections")
    verify_topics(broker, namespace, ("reinspections", "dead-letters"))
    letters = DeadLetters("projector", namespace, clock)
    with ExitStack() as stack:
        client = stack.enter_context(connect(settings.redis))
        admin = stack.enter_context(broker.admin())
        reader = stack.enter_context(broker.reader(dict.fromkeys(positions_of(broker, topic), 0)))
        producer = stack.enter_context(broker.producer(client="projector"))

        def poisoned(poison: Poison) -> None:
            if poison.record is not None:
                letter = letters.letter(poison.record, poison.cause, poison.detail)
                try:
                    producer.send(letter).add_done_callback(_told)
                except DeliveryFailed as error:
                    _told(error)

        view = RedisQueue(client, namespace.redis_prefix())
        yield Projector(view, reader, admin, topic, clock, pace=settings.projector.pace(), poisoned=poisoned)


def _told(failure: Exception | None) -> None:
    """A stray changes nothing of the view: that its letter was not delivered is counted and stops nothing."""
    if failure is not None:
        metrics.LETTERS_LOST.inc()
        _log.error("dead letter lost", detail=str(failure))


def run_station(settings: StationProcess, stop: Stop) -> None:
    """Serve the station until told to stop."""
    health, clock = Health(), SystemClock()
    with ExitStack() as stack:
        stack.enter_context(HealthServer(health, settings.health_port, settings.health_host))
        memory = MemoryWatch(stack.enter_context(connect(settings.redis)), clock)
        memory.require_none()
        station, outbox = _build(settings, stop, stack)
        listening = stack.enter_context(closing(_listen(settings.station)))
        works = {
            "evidence": station.evidence.run,
            "queue-watch": station.watch.run,
            "alarm-watch": station.alarms.run,
            "history": station.insight.follower.run,
            "queue-events": outbox.run,
            "web": WebServer(create_app(station), listening).run,
        }
        for name, run in works.items():
            stack.callback(beside(name, run, stop).start().result, timeout_s=10.0)
            stack.callback(stop.set, "finishing")
        _offer_ways_in(station.access, settings.station, listening.getsockname()[1])
        while not stop.wait(clock, 1.0):
            _report(health, "evidence", ready=station.evidence.is_current)
            _report(health, "queue", ready=station.watch.summary is not None)
            _report_memory(health, memory)
            health.unwell(station.watch.demands())


def beside(name: str, run: Callable[[threading.Event], None], stop: Stop) -> Background:
    """Work that the station does not go on without: whichever way it ends, the station stops."""

    def work(_until: Stop) -> None:
        run(stop.event)
        stop.set(f"{name} ended")

    return Background(name, work, stop)


def _build(settings: StationProcess, stop: Stop, stack: ExitStack) -> tuple[StationContext, Outbox]:
    namespace, clock, broker = Namespace(settings.namespace), SystemClock(), KafkaBroker(settings.kafka)
    topics = (
        *("decisions", "evidence", "recipes", "queue-events", "reinspections", "inspections"),
        *("captures", "dispositions", "frames", "line-state", "activations"),
        *("alarms", "alarm-events"),
    )
    verify_topics(broker, namespace, topics)
    options = settings.station
    client = stack.enter_context(connect(settings.redis))
    queue = RedisQueue(client, namespace.redis_prefix(), settings.reinspect.terms())
    partitions = len(positions_of(broker, namespace.topic("decisions")))
    bus = StationBus(lambda: broker.producer(client="station"), namespace, partitions, clock, options.ack_s)
    stack.callback(bus.close)
    access = stack.enter_context(opened_access(_rules(options), clock))
    desk = ReviewDesk(queue, bus, clock, skills_of(access, settings.reinspect.skills), access.pseudonyms.name)
    insight = opened_insight(broker, namespace, access.book, clock, folder=options.data)
    recipes = stack.enter_context(closing(RecipeBook(broker, namespace)))
    station = StationContext(
        desk=desk,
        access=access,
        insight=stack.enter_context(insight),
        evidence=evidence_store(broker, namespace, options.cache_bytes),
        watch=QueueWatch(queue, clock),
        alarms=AlarmWatch(lambda since_ms: AlarmBook(broker, namespace, since_ms), bus, clock),
        clock=clock,
        namespace=namespace.name,
        lines=options.lines,
        recipe=Recipes(recipes.get, clock),
        references=References(options.references, options.bundles),
        studies=Studies(options.studies),
        break_after_s=options.break_after_s,
        wall=options.wall,
        wall_parts=options.wall_parts,
        stop=stop.event,
    )
    return station, Outbox(queue, bus, clock)


def skills_of(access: Access, of_guests: Mapping[str, tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
    """What somebody has learnt: as their account says; of those without one, as the settings do."""

    def skills(actor: str) -> tuple[str, ...]:
        account = access.accounts.find(actor)
        return of_guests.get(actor, ()) if account is None else account.skills

    return skills


def evidence_store(broker: Broker, namespace: Namespace, cache_bytes: int) -> EvidenceStore:
    """The evidence of a namespace, not yet following."""
    positions = positions_of(broker, namespace.topic("evidence"))
    return EvidenceStore(lambda: broker.reader(dict.fromkeys(positions, 0), max_records=32), cache_bytes, SystemClock())


def sign_in_link(base_url: str, token: str, roles: Sequence[Role] = (), *, name: str = "", to: str = "") -> str:
    """The link that signs in; the secret stands behind `#` and is in no server's log, with the roles to choose from.

    With a name it asks nothing: who opens it is in as that person, in the first of the roles. `to` is the page on which
    it ends, the line's where none is told.
    """
    words = ["all"] if set(roles) == set(Role) else list(roles)
    words += [f"={quote(name)}"] if name else []
    page = f"?to={to}" if to else ""
    return f"{base_url.rstrip('/')}/sign-in{page}#{'~'.join([token, *words])}"


def reached_at(settings: StationSettings, port: int) -> str:
    """Where people reach the station: as its settings say, else by its own address."""
    everywhere = ipaddress.ip_address(settings.host).is_unspecified if settings.host[:1].isdigit() else False
    return settings.public_url or f"http://{socket.gethostname() if everywhere else settings.host}:{port}"


def _rules(options: StationSettings) -> AccessRules:
    provider = None if options.oidc is None else OpenIdProvider(options.oidc, options.public_url, SystemClock())
    return AccessRules(
        folder=options.data,
        idle_s=options.idle_s,
        longest_s=options.longest_s,
        secure_cookie=options.secure_cookie,
        provider=provider,
        proxy=options.proxy,
        results_by_operator=options.results_by_operator,
    )


def _offer_ways_in(access: Access, settings: StationSettings, port: int) -> None:
    """Take the link that was given, and print one that makes the first administrator where there is none yet."""
    base = reached_at(settings, port)
    if settings.link_token is not None:
        access.links.accept(settings.link_token, LinkKind.SIGN_IN, settings.link_roles, uses=settings.link_uses)
    access.links.withdraw(LinkKind.SET_UP)
    if not access.accounts.has_admin():
        token = access.links.make(LinkKind.SET_UP, [Role.ADMIN])
        sys.stdout.write(f"station, make its first administrator (once, within a day): {base}/set-up#{token}\n")
    sys.stdout.write(f"station: {base}\n")
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


def _report_memory(health: Health, memory: MemoryWatch) -> None:
    if (ailment := memory.ailment()) is not None:
        health.not_ready("redis-memory", ailment)
    else:
        health.ready("redis-memory")
