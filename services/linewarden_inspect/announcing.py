"""What a worker has loaded of the recipes that are active, told every few seconds: so it acknowledges a changeover.

A bundle is loaded as soon as its recipe is active, so that the first frame of it need not wait.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import structlog

from linewarden_inspect.bundle_shelf import BundleShelf
from linewarden_runtime.books import LineBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, DeliveryFailed
from linewarden_runtime.events import event_record
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.ports import Broker, Producer
from linewarden_schemas.changeover import LoadedRecipe, WorkerHeartbeat
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe

_EVERY_S = 3.0
_LOOK_S = 1.0
_log = structlog.get_logger(__name__)


class Announcer:
    """Follows what is active, asks for its bundles, and tells; on a thread of its own from `run` on."""

    def __init__(
        self,
        broker: Broker,
        namespace: Namespace,
        worker: str,
        recipe: Callable[[RecipeRef], Recipe | None],
        bundles: BundleShelf,
        clock: Clock,
    ) -> None:
        self._broker, self._namespace, self._worker = broker, namespace, worker
        self._recipe, self._bundles, self._clock = recipe, bundles, clock

    def run(self, until: Stop) -> None:
        """Tell until the stop, and then that the worker leaves; an outage is waited out."""
        while not until.is_set():
            try:
                with ExitStack() as stack:
                    book = stack.enter_context(LineBook(self._broker, self._namespace))
                    producer = stack.enter_context(self._broker.producer(client=f"{self._worker}-announcing"))
                    self._tell_on(book, producer, until)
            except (BrokerUnavailable, DeliveryFailed) as fault:
                _log.warning("nobody hears what this worker has loaded", why=str(fault))
                until.wait(self._clock, _EVERY_S)

    def loaded(self, book: LineBook) -> tuple[LoadedRecipe, ...]:
        """What this worker has of each line's active recipe, as it is now; begins to load what is missing."""
        found = []
        for line_id in sorted(book.lines):
            try:
                active = book.activation(line_id, self._clock.now_ms())
            except ConfigurationError:
                continue  # nobody knows what is active; the line's process is told nothing of it
            if active is not None:
                found.append(self._of(line_id, active.recipe))
        return tuple(found)

    def _of(self, line_id: str, ref: RecipeRef) -> LoadedRecipe:
        recipe = self._recipe(ref)
        if recipe is None:
            return LoadedRecipe(line_id=line_id, recipe=ref, problem="the recipe is unknown, or in doubt")
        loading, problem = self._bundles.request(recipe.bundle_digest), None
        if not loading.done():
            problem = "its bundle is being loaded"
        elif (failure := loading.exception()) is not None:
            problem = f"its bundle cannot be used: {failure}"[:500]
        return LoadedRecipe(line_id=line_id, recipe=recipe.ref(), bundle_digest=recipe.bundle_digest, problem=problem)

    def _tell_on(self, book: LineBook, producer: Producer, until: Stop) -> None:
        told: tuple[LoadedRecipe, ...] | None = None
        told_s = self._clock.monotonic()
        while not until.is_set():
            book.refresh()
            now = self.loaded(book)
            if now != told or self._clock.monotonic() - told_s >= _EVERY_S:
                self._tell(producer, now)
                told, told_s = now, self._clock.monotonic()
            until.wait(self._clock, _LOOK_S)
        self._tell(producer, told or (), leaving=True)

    def _tell(self, producer: Producer, loaded: tuple[LoadedRecipe, ...], *, leaving: bool = False) -> None:
        now_ms = self._clock.now_ms()
        beat = WorkerHeartbeat(worker=self._worker, at_ms=now_ms, loaded=loaded, leaving=leaving)
        topic, source = self._namespace.topic("workers"), self._namespace.source("inspect")
        name = f"{self._worker}.{now_ms}"
        producer.send(event_record(topic, self._worker, beat, id=name, source=source, time_ms=now_ms)).result(10.0)
