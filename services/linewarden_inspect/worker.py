"""The worker: one device, one member of the group `inspect`, one transactional identity."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from contextlib import ExitStack, nullcontext

import structlog

from linewarden_inspect.announcing import Announcer
from linewarden_inspect.bundle_shelf import BundleShelf
from linewarden_inspect.device_lane import DeviceLane, Guard
from linewarden_inspect.live_shelf import LiveShelf
from linewarden_inspect.placement_watch import PlacementWatch
from linewarden_inspect.recipe_shelf import RecipeShelf
from linewarden_inspect.settings import InspectSettings
from linewarden_inspect.stage import InspectStage
from linewarden_inspect.writing import SERVICE, InspectionWriter
from linewarden_runtime.background import Background
from linewarden_runtime.books import RecipeBook, positions_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.loop import LoopLimits, TransactionalLoop
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import Recipe
from linewarden_vision.inspecting.preparing import Shelf
from linewarden_vision.inspecting.scorer import Scorer

_READY = "bundles"
_LOOK_S = 30.0
"""How often the end of what stands behind a bundle is looked for; what is judged looks at each picture's own time."""
_log = structlog.get_logger(__name__)


class InspectWorker:
    """Everything of a worker but its clients' settings; `load` finds, loads and gates a bundle by digest."""

    def __init__(
        self,
        broker: Broker,
        namespace: Namespace,
        settings: InspectSettings,
        load: Callable[[str], Scorer],
        *,
        instance: str,
        clock: Clock,
        health: Health,
        guard: Guard = nullcontext,
        recipes_by_digest: bool = False,
        on_use: Callable[[Recipe, Scorer], None] = lambda *_: None,
    ) -> None:
        self._broker, self._namespace, self._settings = broker, namespace, settings
        self._member = f"{SERVICE}-{instance}"
        self._clock, self._health, self._guard = clock, health, guard
        self._announced: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._look_at = float("-inf")
        self._placements = PlacementWatch(settings.moved_after)
        self._live = LiveShelf(broker, namespace, clock, settings.recipe_stale_s)
        self._bundles = BundleShelf(
            load, wait_s=settings.bundle_wait_s, held=settings.bundles_held, clock=clock, on_use=on_use
        )
        self._recipes = RecipeShelf(
            lambda: RecipeBook(broker, namespace, by_digest=recipes_by_digest),
            wait_s=settings.recipe_wait_s,
            refresh_s=settings.recipe_refresh_s,
            stale_s=settings.recipe_stale_s,
            clock=clock,
            on_news=self._bundles.expect,
        )

    def run(self, stop: Stop) -> None:
        """Inspect until asked to stop, then finish what is in flight.

        The recipes known now and their bundles are read before the first frame; a bundle that cannot be loaded
        does not keep the worker from answering, since a frame that is not answered in time diverts as well.
        """
        with ExitStack() as closing:
            closing.callback(self._bundles.close)
            closing.callback(self._recipes.close)
            self._health.not_ready(_READY, "recipes and bundles are being loaded")
            self._recipes.start()
            self._load_expected()
            self._health.ready(_READY)
            announcer = Announcer(
                self._broker, self._namespace, self._member, self._recipes.glance, self._bundles, self._clock
            )
            closing.enter_context(Background("announcing", announcer.run, stop))
            closing.enter_context(Background("live-limits", self._live.run, stop))
            self._live.is_read.wait(self._settings.recipe_stale_s)  # what came before is not doubted for a restart
            dead_letters = DeadLetters(SERVICE, self._namespace, self._clock, self._settings.cap())
            stage = self._stage(dead_letters)
            closing.callback(stage.close)
            consumer = closing.enter_context(
                self._broker.consumer(
                    group=self._namespace.group(SERVICE),
                    topics=[self._namespace.topic("frames")],
                    instance=self._member,
                    max_records=self._settings.max_poll_records,
                )
            )
            identity = self._namespace.transactional_id(self._member)
            topics = [self._namespace.topic(name) for name in ("inspections", "dead-letters")]
            writes = [position for topic in topics for position in positions_of(self._broker, topic)]
            TransactionalLoop(
                consumer,
                lambda: self._broker.transactional_producer(identity, writes),
                stage,
                dead_letters,
                clock=self._clock,
                limits=LoopLimits(max_records=self._settings.max_poll_records),
                beat=self._beat,
            ).run(stop)

    def _beat(self) -> None:
        self._health.beat()
        stale = self._recipes.stale()
        unwell = {} if stale is None else {"recipes": f"{stale}, so nothing is judged"}
        if self._clock.monotonic() >= self._look_at:
            self._look_at = self._clock.monotonic() + _LOOK_S
            self._announce(self._bundles.notices(self._clock.now_ms(), self._live.of_bundle))
            self._failed = self._bundles.failures()
        bundles = self._announced | {
            digest: f"its pictures are answered NOT_DECIDABLE: {why}" for digest, why in self._failed.items()
        }
        self._health.unwell(
            unwell | self._placements.ailments() | {f"bundle {digest[:12]}": why for digest, why in bundles.items()}
        )

    def _announce(self, notices: dict[str, str]) -> None:
        """Log each notice when it is new: the day before it said another number of days."""
        for digest, why in notices.items():
            if self._announced.get(digest) != why:
                _log.warning("what stands behind a bundle ends", why=why, bundle=digest)
        self._announced = notices

    def _load_expected(self) -> None:
        loading = self._bundles.expect(self._recipes.known())
        for done in wait(loading).done:
            failure = done.exception()
            if failure is not None:
                _log.error("a bundle cannot be used; its frames are answered NOT_DECIDABLE", why=str(failure))

    def _stage(self, dead_letters: DeadLetters) -> InspectStage:
        settings = self._settings
        lane = DeviceLane(
            max_batch=settings.max_batch,
            wait_s=settings.batch_wait_s,
            max_faults_in_a_row=settings.max_device_faults_in_a_row,
            clock=self._clock,
            guard=self._guard,
        )
        with self._broker.admin() as admin:
            partitions = admin.describe(self._namespace.topic("inspections")).partitions
        return InspectStage(
            Shelf(self._recipes.get, self._bundles.get, self._live.of),
            lane,
            InspectionWriter(self._namespace, partitions),
            dead_letters,
            limits=settings.limits(),
            clock=self._clock,
            threads=settings.decode_threads,
            placements=self._placements,
        )
