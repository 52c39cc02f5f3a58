"""The only place where route's clients are built."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import structlog

from linewarden_route.line_watch import LineWatch
from linewarden_route.plan import JOINED, RouteDesk
from linewarden_route.router import Router
from linewarden_route.settings import RouterLimits, RouteSettings
from linewarden_runtime import logs
from linewarden_runtime.background import Background
from linewarden_runtime.books import RecipeBook, StateBook, positions_of
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.deadletters import DeadLetterCap, DeadLetters
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, run_visibly, stop_on_signals
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker
from linewarden_runtime.recipes import PatientRecipes
from linewarden_runtime.topic_settings import verify_topics
from linewarden_schemas.ids import Namespace
from linewarden_schemas.topics import CO_PARTITIONED


def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - every service has the same entry
    """Run route until SIGTERM; 75 where it was fenced and may be started again."""
    stop = Stop()
    stop_on_signals(stop)
    return run_service("route", _serve, stop)


def _serve(stop: Stop) -> None:
    settings = RouteSettings.load()
    logs.configure("route", level=settings.log_level)
    clock, health = SystemClock(), Health()
    namespace = Namespace(settings.namespace)
    broker = KafkaBroker(settings.kafka)
    verify_topics(broker, namespace, (*CO_PARTITIONED, "recipes", "line-state", "dead-letters"))
    secret = coin_secret(settings.route.coin_secret_file, namespace)
    limits, by_digest = settings.route.limits(), settings.recipes_by_digest

    def serve() -> None:
        with opened_router(
            broker, namespace, settings.instance, secret, clock, health, limits, recipes_by_digest=by_digest, stop=stop
        ) as router:
            router.run(stop)

    with HealthServer(health, settings.health_port, settings.health_host):
        run_visibly(serve, health, stop, clock)


@contextmanager
def opened_router(
    broker: Broker,
    namespace: Namespace,
    instance: str,
    secret: bytes,
    clock: Clock,
    health: Health,
    limits: RouterLimits,
    executor: Executor | None = None,
    *,
    recipes_by_digest: bool = False,
    stop: Stop | None = None,
) -> Iterator[Router]:
    """A router with clients of its own; `executor` runs its transactions instead of threads of its own.

    With `stop` the lines' states are followed on a thread, whose failure asks for it; else the loop looks at them.
    """
    book = RecipeBook(broker, namespace, by_digest=recipes_by_digest)
    recipes = PatientRecipes(book.get, clock, glance=book.glance, named=book.named)
    states = StateBook(broker, namespace)
    watch = LineWatch(states, clock)
    desk = make_desk(broker, namespace, recipes, secret, clock, watch, looks=stop is None)
    follow = partial(watch.follow, clock)
    consumer = broker.consumer(
        group=namespace.group("route"),
        topics=[namespace.topic(name) for name in JOINED],
        instance=f"route-{instance}",
        max_records=limits.max_records,
    )

    def ready(is_ready: bool) -> None:
        if is_ready:
            health.ready("partitions")
        else:
            health.not_ready("partitions", "joining the group, or restoring partitions")

    try:
        ready(False)
        with nullcontext() if stop is None else Background("line states", follow, stop):
            yield Router(
                broker,
                consumer,
                desk,
                clock,
                limits=limits,
                beat=health.beat,
                ready=ready,
                executor=executor,
                unwell=health.unwell,
            )
    finally:
        consumer.close()
        book.close()
        states.close()


def make_desk(
    broker: Broker,
    namespace: Namespace,
    recipes: PatientRecipes,
    secret: bytes,
    clock: Clock,
    lines: LineWatch,
    *,
    looks: bool = True,
) -> RouteDesk:
    """What the partitions share; with `looks` the loop itself looks at the lines' states, which nobody follows then.

    Raises:
        ConfigurationError: where the topics keyed by visit differ in their partition count.
    """
    with broker.admin() as admin:
        counts = {name: admin.describe(namespace.topic(name)).partitions for name in CO_PARTITIONED}
    if len(set(counts.values())) != 1:
        raise ConfigurationError(f"topics keyed by visit must have one partition count, not {counts}")
    count = next(iter(counts.values()))
    return RouteDesk(
        namespace=namespace,
        recipe=recipes,
        partition_of=lambda visit_id: partition_of(visit_id, count),
        secret=secret,
        poison=DeadLetters("route", namespace, clock),
        # Without a cap: late records are many after every outage, and no sign of a bad release.
        rejects=DeadLetters("route", namespace, clock, DeadLetterCap(run=2**62, ratio=1.0)),
        dead_letters=positions_of(broker, namespace.topic("dead-letters")),
        partitions=count,
        append_time=broker.append_time,
        named=recipes.named,
        withheld=lines.withheld,
        lines=lines,
        look=lines.look if looks else lambda: None,
    )


def coin_secret(path: Path | None, namespace: Namespace) -> bytes:
    """The secret of the coins; without a file one that everybody can work out, with a warning."""
    if path is not None:
        secret = path.read_bytes().strip()
        if not secret:
            raise ConfigurationError(f"LINEWARDEN_ROUTE__COIN_SECRET_FILE={path} is empty")
        return secret
    structlog.get_logger("route").warning(
        "no coin secret", hint="set LINEWARDEN_ROUTE__COIN_SECRET_FILE, or audited parts can be foretold"
    )
    return hashlib.sha256(f"linewarden coins of {namespace.name}".encode()).digest()
