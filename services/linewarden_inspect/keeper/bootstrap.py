"""The only place that builds the keeper's clients."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from linewarden_inspect.keeper.fetching import RecordFetcher
from linewarden_inspect.keeper.forgetting import Forgetter
from linewarden_inspect.keeper.kept import KeptEvidence, Remembered
from linewarden_inspect.keeper.saving import SERVICE, EvidenceSaver, RememberingProducer
from linewarden_inspect.settings import KeeperProcess, KeeperSettings
from linewarden_runtime import logs
from linewarden_runtime.background import Background
from linewarden_runtime.books import RecipeBook
from linewarden_runtime.broker_time import BrokerTime
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.consume import ConsumeLoop
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, run_visibly, stop_on_signals
from linewarden_runtime.loop import LoopLimits
from linewarden_runtime.ports import Broker, Consumer
from linewarden_runtime.recipes import PatientRecipes
from linewarden_runtime.topic_settings import verify_topics
from linewarden_schemas.envelope import Frame
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Maps, SourceRef

if TYPE_CHECKING:
    from linewarden_inspect.keeper.missing_maps import MapMaker

_FORGET = "keeper-forget"


def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - all settings come from the environment
    """Run the keeper until SIGTERM; the exit code."""
    logs.configure(SERVICE)
    stop = Stop()
    stop_on_signals(stop)
    return run_service(SERVICE, run, stop)


def run(stop: Stop) -> None:
    """Build the keeper from the environment and run it; raises ConfigurationError for what cannot be."""
    settings = KeeperProcess.load()
    logs.configure(SERVICE, level=settings.log_level)
    stand_back(settings.keeper.nice)
    health, clock = Health(), SystemClock()
    broker, namespace = KafkaBroker(settings.kafka), Namespace(settings.namespace)
    verify_topics(broker, namespace, ("reinspections", "dispositions", "frames", "evidence", "recipes"))
    with HealthServer(health, settings.health_port, settings.health_host):
        run_visibly(
            lambda: keep(
                broker, namespace, settings.keeper, stop, instance=settings.instance, clock=clock, health=health
            ),
            health,
            stop,
            clock,
        )


def stand_back(nice: int) -> None:
    """Give this process no more than so much priority; one that has less keeps it."""
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), nice))


def keep(
    broker: Broker,
    namespace: Namespace,
    settings: KeeperSettings,
    stop: Stop,
    *,
    instance: str,
    clock: Clock,
    health: Health,
) -> None:
    """Save and forget evidence until asked to stop; raises what either raised."""
    with Background("forget", lambda until: forget(broker, namespace, instance, clock, until), stop):
        save(broker, namespace, settings, stop, instance=instance, clock=clock, health=health)


def _requests(broker: Broker, namespace: Namespace, instance: str, max_records: int) -> Consumer:
    return broker.consumer(
        group=namespace.group(SERVICE),
        topics=[namespace.topic("reinspections")],
        instance=f"{SERVICE}-{instance}",
        max_records=max_records,
    )


def save(
    broker: Broker,
    namespace: Namespace,
    settings: KeeperSettings,
    stop: Stop,
    *,
    instance: str,
    clock: Clock,
    health: Health,
) -> None:
    """Save the frames of every slot that is opened, until asked to stop."""
    with ExitStack() as closing:
        recipes = RecipeBook(broker, namespace)
        closing.callback(recipes.close)
        fetcher = RecordFetcher(broker, clock, settings.fetch_timeout_s)
        closing.callback(fetcher.close)
        maps = _LazyMaps(settings, PatientRecipes(recipes.get, clock, glance=recipes.glance), clock)
        closing.callback(maps.close)
        remembered = Remembered(settings.remembered_frames)
        kept = KeptEvidence(broker, namespace, remembered, clock, settings.fetch_timeout_s)
        closing.callback(kept.close)
        saver = EvidenceSaver(namespace, fetcher, remembered, kept, maps.make, clock)
        requests = closing.enter_context(_requests(broker, namespace, instance, settings.max_poll_records))

        def turn() -> None:
            health.beat()
            saver.turned()

        ConsumeLoop(
            requests,
            lambda: RememberingProducer(broker.producer(client=SERVICE), remembered),
            saver.handle,
            DeadLetters(SERVICE, namespace, clock),
            clock=clock,
            limits=LoopLimits(max_records=settings.max_poll_records),
            beat=turn,
        ).run(stop)


def forget(broker: Broker, namespace: Namespace, instance: str, clock: Clock, stop: Stop) -> None:
    """End evidence whose time is over, until asked to stop."""
    with ExitStack() as closing:
        recipes = RecipeBook(broker, namespace)
        closing.callback(recipes.close)
        ends = closing.enter_context(
            broker.consumer(
                group=namespace.group(_FORGET),
                topics=[namespace.topic("dispositions")],
                instance=f"{_FORGET}-{instance}",
            )
        )
        tombstones = closing.enter_context(broker.producer(client=_FORGET))
        patient = PatientRecipes(recipes.get, clock, glance=recipes.glance)
        time = BrokerTime(clock, SERVICE, stamps=broker.append_time)
        Forgetter(ends, tombstones, namespace, patient, time).run(stop)


class _LazyMaps:
    """Makes maps once any are missing: until then neither torch nor a bundle is loaded."""

    def __init__(self, settings: KeeperSettings, recipes: PatientRecipes, clock: Clock) -> None:
        self._settings, self._recipes, self._clock = settings, recipes, clock
        self._maker: MapMaker | None = None

    def make(self, frame: Frame, source: SourceRef) -> Maps | None:
        """The maps, None without bundles or where the picture cannot be judged."""
        if self._settings.bundles is None:
            return None
        if self._maker is None:
            from linewarden_inspect.keeper.missing_maps import MapMaker  # noqa: PLC0415 - brings torch

            self._maker = MapMaker(self._settings, self._recipes, self._clock)
        return self._maker.make(frame, source)

    def close(self) -> None:
        """Give up what was loaded."""
        if self._maker is not None:
            self._maker.close()
